import type http from 'node:http';
import http2 from 'node:http2';
import type net from 'node:net';
import type tls from 'node:tls';
import type { X509Certificate } from 'node:crypto';
import { getRequestListener } from '@hono/node-server';

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
}

/**
 * Serves HTTP/2, and HTTP/1.1 to those who know nothing newer, on sockets that
 * were accepted somewhere else.
 */
export class TlsListener implements AsyncDisposable {
  readonly #server: http2.Http2SecureServer;
  readonly #sources = new WeakMap<net.Socket, string>();
  readonly #sockets = new Set<net.Socket>();

  constructor(private readonly options: TlsListenerOptions) {
    const { certificate, key, clientAuthorities, minVersion, fetch } = options;
    this.#server = http2.createSecureServer({
      cert: certificate,
      key,
      minVersion,
      allowHTTP1: true,
      handshakeTimeout: 10_000,
      ...(clientAuthorities && { ca: [...clientAuthorities], requestCert: true, rejectUnauthorized: false }),
      settings: { maxConcurrentStreams: 100 },
    });
    const answer = getRequestListener((request, bindings) => {
      const { incoming } = bindings as { incoming: http.IncomingMessage | http2.Http2ServerRequest };
      return fetch(request, this.#transportOf(incoming));
    });
    // Handled inside: the listener answers every failure itself.
    this.#server.on('request', (request, response) => void answer(request, response));
    this.#server.on('tlsClientError', (_: Error, socket: tls.TLSSocket) => socket.destroy());
    this.#server.on('sessionError', () => {});
  }

  /** Takes a connection whose first byte is a ClientHello. */
  accept(socket: net.Socket, source: string): void {
    this.#sources.set(socket, source);
    this.#sockets.add(socket);
    socket.once('close', () => this.#sockets.delete(socket));
    // The public port leaves sockets half open for protocols that need it. Nobody would end this one: a client of HTTP/2
    // that is killed says no GOAWAY.
    socket.allowHalfOpen = false;
    this.#server.emit('connection', socket);
  }

  /** Another certificate, for the connections that come. */
  renew(certificate: string, key: string): void {
    const { clientAuthorities } = this.options;
    this.#server.setSecureContext({ cert: certificate, key, ...(clientAuthorities && { ca: [...clientAuthorities] }) });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
  }

  #transportOf(incoming: http.IncomingMessage | http2.Http2ServerRequest): Transport {
    const socket = ('stream' in incoming ? incoming.stream.session?.socket : incoming.socket) as
      tls.TLSSocket | undefined;
    return {
      certificate: socket?.getPeerX509Certificate(),
      source: socket ? this.#sourceOf(socket) : 'unknown',
      // Of HTTP/2 the socket is a proxy that is made anew for each stream.
      connection: 'stream' in incoming ? incoming.stream.session : socket,
    };
  }

  /** The address that the proxy stated when it handed the connection over. */
  #sourceOf(socket: tls.TLSSocket): string {
    for (const raw of this.#sockets)
      if (
        raw.remotePort === socket.remotePort &&
        raw.localPort === socket.localPort &&
        raw.remoteAddress === socket.remoteAddress
      )
        return this.#sources.get(raw) ?? addressOf(raw);
    return addressOf(socket);
  }
}

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
