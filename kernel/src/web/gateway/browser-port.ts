import http from 'node:http';
import type net from 'node:net';
import tls from 'node:tls';
import { HttpConnections, type HttpConnectionLimits } from '../../api/http-connections.js';
import { watchConnection, type SlowClientLimits } from '../../api/slow-client.js';
import type { Upgrade } from './forward-upgrade.js';
import { refuseUpgrade } from './plain-answer.js';

/** A connection of a browser, after its handshake. */
export interface BrowserConnection {
  /** Lower case, without a trailing dot; empty where the browser named nobody. */
  readonly name: string;
  readonly address: string;
}

/** Whoever answers. Neither may reject. */
export interface BrowserHandler {
  request(request: http.IncomingMessage, response: http.ServerResponse, from: BrowserConnection): void;
  upgrade(upgrade: Upgrade, from: BrowserConnection): void;
}

export interface BrowserPortOptions extends BrowserHandler {
  /** The certificate of now. */
  context(): tls.SecureContext;
  /** True where a browser that connected to `name` may ask for `host` (without the port). */
  matches(name: string, host: string): boolean;
  readonly limits?: Partial<BrowserPortLimits>;
}

export interface BrowserPortLimits extends HttpConnectionLimits, SlowClientLimits {
  readonly headBytes: number;
  readonly headers: number;
  readonly handshakeMs: number;
}

const browserPortLimits: BrowserPortLimits = {
  headBytes: 32_768,
  headers: 100,
  handshakeMs: 10_000,
  idleMs: 60_000,
  connections: 10_000,
  stallMs: 60_000,
  stallBytes: 4096,
};

/**
 * Ends the TLS of browsers and serves HTTP/1.1, on sockets that were accepted
 * somewhere else. It never asks for a client certificate, and takes no renegotiation.
 */
export class BrowserPort implements AsyncDisposable {
  readonly #server: http.Server;
  readonly #from = new WeakMap<object, BrowserConnection & { readonly raw: net.Socket }>();
  readonly #connections: HttpConnections;
  readonly #limits: BrowserPortLimits;

  constructor(private readonly options: BrowserPortOptions) {
    this.#limits = { ...browserPortLimits, ...options.limits };
    this.#connections = new HttpConnections(this.#limits);
    this.#server = http.createServer({
      maxHeaderSize: this.#limits.headBytes,
      insecureHTTPParser: false,
      requireHostHeader: true,
      keepAliveTimeout: 0,
      highWaterMark: 65_536,
    });
    // One more is counted than is let in: Node drops what is above its own limit without a word.
    this.#server.maxHeadersCount = this.#limits.headers + 1;
    this.#server.on('request', (request, response) => this.#request(request, response));
    this.#server.on('checkContinue', (request, response) => {
      response.writeContinue();
      this.#request(request, response);
    });
    this.#server.on('upgrade', (request, socket, head) => this.#upgrade({ request, socket, head }));
    this.#server.on('clientError', (cause: NodeJS.ErrnoException, socket) =>
      refuseUpgrade(socket, statuses[cause.code ?? ''] ?? 400, 'this is not a request that can be answered'),
    );
  }

  /** Takes a connection whose first byte is a ClientHello. */
  accept(socket: net.Socket, address: string): void {
    if (!this.#connections.add(socket)) return;
    // The public port leaves sockets half open for protocols that need it. A browser that ends its half has gone.
    socket.allowHalfOpen = false;
    const stream = new tls.TLSSocket(socket, {
      isServer: true,
      secureContext: this.options.context(),
      ALPNProtocols: ['http/1.1'],
    });
    const timer = setTimeout(() => socket.destroy(), this.#limits.handshakeMs).unref();
    socket.once('close', () => {
      clearTimeout(timer);
      stream.destroy();
    });
    stream.on('error', () => socket.destroy());
    stream.once('secure', () => {
      clearTimeout(timer);
      stream.disableRenegotiation();
      const named: unknown = stream.servername;
      const name = typeof named === 'string' ? named.toLowerCase().replace(/\.$/, '') : '';
      this.#from.set(stream, { name, address, raw: socket });
      this.#server.emit('connection', stream);
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#connections[Symbol.dispose]();
  }

  #request(request: http.IncomingMessage, response: http.ServerResponse): void {
    const from = this.#admit(request);
    if (typeof from === 'number') {
      response.writeHead(from, { connection: 'close', 'content-type': 'text/plain; charset=utf-8' });
      return void response.end(`${http.STATUS_CODES[from] ?? 'Error'}\n`);
    }
    this.#connections.began(from.raw, response);
    watchConnection(from.raw, { request, response }, this.#limits);
    this.options.request(request, response, from);
  }

  #upgrade(upgrade: Upgrade): void {
    const from = this.#admit(upgrade.request);
    upgrade.socket.on('error', () => upgrade.socket.destroy());
    if (typeof from === 'number') return refuseUpgrade(upgrade.socket, from, http.STATUS_CODES[from] ?? 'Error');
    // Whoever has been told everything is to go.
    this.#connections.began(from.raw, upgrade.socket, 'finish');
    this.options.upgrade(upgrade, from);
  }

  /** Who asks, or the status with which they are turned away. */
  #admit({ socket, headers, rawHeaders, url = '', method }: http.IncomingMessage) {
    const from = this.#from.get(socket);
    const { host = '' } = headers;
    if (!from) return 400;
    if (rawHeaders.length > 2 * this.#limits.headers) return 431;
    if (rawHeaders.filter((name, at) => at % 2 === 0 && name.toLowerCase() === 'host').length !== 1) return 400;
    // An address in the request line would be the host that counts, and CONNECT and `*` are not for us.
    if (!url.startsWith('/') || method === 'TRACE') return 400;
    return this.options.matches(from.name, hostOf(host)) ? from : 421;
  }
}

const statuses: Readonly<Record<string, number>> = { HPE_HEADER_OVERFLOW: 431, ERR_HTTP_REQUEST_TIMEOUT: 408 };

/** Lower case, without port and trailing dot. */
export const hostOf = (host: string): string =>
  host
    .toLowerCase()
    .replace(/:\d{1,5}$/, '')
    .replace(/\.$/, '');
