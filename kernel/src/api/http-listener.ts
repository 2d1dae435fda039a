import type http from 'node:http';
import http2 from 'node:http2';
import type net from 'node:net';
import type tls from 'node:tls';
import type { X509Certificate } from 'node:crypto';
import { getRequestListener } from '@hono/node-server';
import { bytesGone } from './bytes-gone.js';
import { HttpConnections, type HttpConnectionLimits } from './http-connections.js';
import { watchClient, watchConnection, type SlowClientLimits } from './slow-client.js';

/** What a request came in on, as far as deciding who calls is concerned. */
export interface Transport {
  /** The client's certificate, where TLS asked for one and the client had one. */
  readonly certificate: X509Certificate | undefined;
  readonly source: string;
  /** Stands for the connection. */
  readonly connection?: object | undefined;
}

/** Answers one request. */
export type Fetch = (request: Request, transport: Transport) => Response | Promise<Response>;

/** Who a connection belongs to, for transports that do not end TLS here. */
const addressOf = (socket: net.Socket): string => socket.remoteAddress ?? 'local';

export interface TlsListenerOptions {
  /** PEM. */
  readonly certificate: string;
  readonly key: string;
  /** With them clients are asked for a certificate of one of these authorities; it is verified by whoever reads it. */
  readonly clientAuthorities?: readonly string[];
  readonly minVersion: tls.SecureVersion;
  readonly fetch: Fetch;
  readonly limits?: Partial<TlsListenerLimits>;
}

interface TlsListenerLimits extends HttpConnectionLimits, SlowClientLimits {
  readonly handshakeMs: number;
}

const tlsListenerLimits: TlsListenerLimits = {
  connections: 10_000,
  handshakeMs: 10_000,
  idleMs: 120_000,
  stallMs: 60_000,
  stallBytes: 4096,
};

/** What asks; of HTTP/2 each stream does. */
type Incoming = http.IncomingMessage | http2.Http2ServerRequest;

/**
 * Serves HTTP/2, and HTTP/1.1 to those who know nothing newer, on sockets that
 * were accepted somewhere else.
 */
export class TlsListener implements AsyncDisposable {
  readonly #server: http2.Http2SecureServer;
  readonly #sources = new WeakMap<net.Socket, string>();
  /** The sockets that TLS and HTTP/2 run on. */
  readonly #raw = new WeakMap<object, net.Socket>();
  readonly #connections: HttpConnections;
  readonly #limits: TlsListenerLimits;

  constructor({ certificate, key, clientAuthorities, minVersion, fetch, limits }: TlsListenerOptions) {
    this.#limits = { ...tlsListenerLimits, ...limits };
    this.#connections = new HttpConnections(this.#limits);
    this.#server = http2.createSecureServer({
      cert: certificate,
      key,
      minVersion,
      allowHTTP1: true,
      handshakeTimeout: this.#limits.handshakeMs,
      ...(clientAuthorities && { ca: [...clientAuthorities], requestCert: true, rejectUnauthorized: false }),
      settings: { maxConcurrentStreams: 100 },
    });
    const answer = getRequestListener((request, bindings) => {
      const { incoming } = bindings as { incoming: Incoming };
      return fetch(request, this.#transportOf(incoming));
    });
    this.#server.on('request', (request: Incoming, response: http.ServerResponse | http2.Http2ServerResponse) => {
      this.#watch(request, response);
      // Handled inside: the listener answers every failure itself.
      void answer(request, response);
    });
    this.#server.on('tlsClientError', (_: Error, socket: tls.TLSSocket) => socket.destroy());
    this.#server.on('sessionError', () => {});
  }

  /** Takes a connection whose first byte is a ClientHello. */
  accept(socket: net.Socket, source: string): void {
    if (!this.#connections.add(socket)) return;
    this.#sources.set(socket, source);
    // The public port leaves sockets half open for protocols that need it. Nobody would end this one: a client of HTTP/2
    // that is killed says no GOAWAY.
    socket.allowHalfOpen = false;
    this.#server.emit('connection', socket);
  }

  /** Another certificate, and other authorities of clients where they are named, for the connections that come. */
  renew({
    certificate,
    key,
    clientAuthorities,
  }: Pick<TlsListenerOptions, 'certificate' | 'key' | 'clientAuthorities'>): void {
    this.#server.setSecureContext({ cert: certificate, key, ...(clientAuthorities && { ca: [...clientAuthorities] }) });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#connections[Symbol.dispose]();
  }

  /** Holds a client to going on with what it asks, and its connection to asking for something. */
  #watch(request: Incoming, response: http.ServerResponse | http2.Http2ServerResponse): void {
    const raw = this.#rawOf(request);
    if (!raw) return;
    this.#connections.began(raw, response);
    if ('stream' in request) {
      const { stream } = request;
      const waiting = (): number => request.readableLength;
      // What one stream has brought is not told: its body has to be here at the first look.
      // Nor is what one stream has taken, beyond what its length says, unless it is alone.
      const taken = (): number => (this.#connections.requestsOf(raw) === 1 ? bytesGone(raw) : 0);
      const exchange = { response, waiting, taken, received: () => 0, isComplete: () => hasEnded(stream) };
      watchClient(exchange, this.#limits, () => stream.close(http2.constants.NGHTTP2_CANCEL));
    } else watchConnection(raw, { request, response }, this.#limits);
  }

  #transportOf(incoming: Incoming): Transport {
    const raw = this.#rawOf(incoming);
    return {
      certificate: socketOf(incoming)?.getPeerX509Certificate(),
      // The address that the proxy stated when it handed the connection over.
      source: raw ? (this.#sources.get(raw) ?? addressOf(raw)) : 'unknown',
      connection: connectionOf(incoming),
    };
  }

  /** The socket that was handed over. TLS does not tell what it runs on, except by the ports at both ends. */
  #rawOf(incoming: Incoming): net.Socket | undefined {
    const connection = connectionOf(incoming);
    const socket = socketOf(incoming);
    const known = connection && this.#raw.get(connection);
    if (known || !connection || !socket) return known;
    for (const raw of this.#connections)
      if (
        raw.remotePort === socket.remotePort &&
        raw.localPort === socket.localPort &&
        raw.remoteAddress === socket.remoteAddress
      ) {
        this.#raw.set(connection, raw);
        return raw;
      }
    return undefined;
  }
}

const socketOf = (incoming: Incoming): tls.TLSSocket | undefined =>
  ('stream' in incoming ? incoming.stream.session?.socket : incoming.socket) as tls.TLSSocket | undefined;

/** What stands for a connection: of HTTP/2 the socket is a proxy that is made anew for each stream. */
const connectionOf = (incoming: Incoming): object | undefined =>
  'stream' in incoming ? incoming.stream.session : incoming.socket;

const endedStates: readonly (number | undefined)[] = [
  http2.constants.NGHTTP2_STREAM_STATE_HALF_CLOSED_REMOTE,
  http2.constants.NGHTTP2_STREAM_STATE_CLOSED,
];

/** Whether a client has said all of a request. */
const hasEnded = (stream: http2.ServerHttp2Stream): boolean =>
  stream.destroyed || endedStates.includes(stream.state.state);

/** Serves HTTP/2 without TLS on a unix socket that only its owner can open. */
export class SocketListener implements AsyncDisposable {
  readonly #sockets = new Set<net.Socket>();

  private constructor(private readonly server: http2.Http2Server) {
    server.on('connection', (socket: net.Socket) => {
      this.#sockets.add(socket);
      socket.once('close', () => this.#sockets.delete(socket));
    });
    server.on('sessionError', () => {});
  }

  static async listen(path: string, fetch: Fetch): Promise<SocketListener> {
    const server = http2.createServer({ settings: { maxConcurrentStreams: 100 } });
    const answer = getRequestListener((request) => fetch(request, { certificate: undefined, source: 'local' }));
    // Handled inside: the listener answers every failure itself.
    server.on('request', (request, response) => void answer(request, response));
    const listener = new SocketListener(server);
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      // The mask makes the socket private from its first moment on.
      const mask = process.umask(0o177);
      server.listen(path, resolve);
      process.umask(mask);
    });
    return listener;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const closed = new Promise<void>((resolve) => this.server.close(() => resolve()));
    for (const socket of this.#sockets) socket.destroy();
    await closed;
  }
}
