import { createHash } from 'node:crypto';
import { once } from 'node:events';
import http, { type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { WebSocketServer } from 'ws';

/** What the application saw of one request. */
export interface Seen {
  readonly method: string;
  readonly url: string;
  readonly headers: IncomingMessage['headers'];
  readonly rawHeaders: readonly string[];
  body: string;
  trailers: IncomingMessage['trailers'];
}

/** A web application for tests: echoes, streams, large bodies, events, trailers and WebSockets. */
export class Application implements AsyncDisposable {
  readonly host = '127.0.0.1';
  readonly seen: Seen[] = [];
  /** Responses that have begun and not ended: what a client's disappearance must end as well. */
  readonly streaming = new Set<ServerResponse>();
  /** Answers instead of the application, where a test wants it to lie: bytes as they are. */
  lie: ((socket: Socket, request: IncomingMessage) => void) | undefined;
  readonly sockets = new Set<Socket>();
  /** How many connections there have been. */
  connections = 0;
  readonly #webSockets = new WebSocketServer({ noServer: true });

  private constructor(readonly server: http.Server) {
    server.on('connection', (socket) => {
      this.connections += 1;
      this.sockets.add(socket.on('error', () => {}));
      socket.once('close', () => this.sockets.delete(socket));
    });
    server.on('request', (request, response) => void this.#answer(request, response));
    server.on('checkContinue', (request, response) => {
      response.writeContinue();
      void this.#answer(request, response);
    });
    server.on('upgrade', (request: IncomingMessage, socket: Socket, head) => {
      this.#note(request);
      if (this.lie) {
        socket.once('end', () => socket.destroy()).resume();
        return this.lie(socket, request);
      }
      if (request.url === '/refused')
        return socket.end('HTTP/1.1 401 Unauthorized\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nnope\r\n0\r\n\r\n');
      this.#webSockets.handleUpgrade(request, socket, head, (client) => {
        client.on('error', () => {});
        client.on('message', (data: Buffer, binary: boolean) => client.send(data, { binary }));
      });
    });
  }

  static async start(): Promise<Application> {
    const server = http.createServer({ keepAliveTimeout: 60_000, requestTimeout: 0 }).listen(0, '127.0.0.1');
    await once(server, 'listening');
    return new Application(server);
  }

  get port(): number {
    return (this.server.address() as AddressInfo).port;
  }

  get spec(): { readonly host: string; readonly port: number } {
    return { host: this.host, port: this.port };
  }

  /** Everything that has reached the application, as text. */
  received(): string {
    return this.seen
      .map(({ method, url, headers, body }) => `${method} ${url} ${JSON.stringify(headers)} ${body}\n`)
      .join('');
  }

  #note(request: IncomingMessage): Seen {
    const { method = '', url = '', headers, rawHeaders } = request;
    const seen: Seen = { method, url, headers, rawHeaders, body: '', trailers: {} };
    this.seen.push(seen);
    return seen;
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const seen = this.#note(request);
    response.on('error', () => {});
    request.on('error', () => {});
    if (this.lie) return this.lie(request.socket, request);
    this.streaming.add(response);
    response.once('close', () => this.streaming.delete(response));
    const path = request.url?.split('?')[0] ?? '';
    if (path === '/upload') return this.#digest(request, response);
    if (path === '/slow-body') return;
    request.on('data', (chunk: Buffer) => (seen.body += chunk.toString('latin1')));
    request.on('end', () => {
      seen.trailers = request.trailers;
      this.#route(path, seen, response);
    });
  }

  #digest(request: IncomingMessage, response: ServerResponse): void {
    const hash = createHash('sha256');
    let length = 0;
    request.on('data', (chunk: Buffer) => {
      hash.update(chunk);
      length += chunk.length;
    });
    request.on('end', () => response.end(`${length} ${hash.digest('hex')}`));
  }

  #route(path: string, seen: Seen, response: ServerResponse): void {
    if (path === '/bulk') return bulk(response, 6_000_000);
    if (path === '/large') return bulk(response, 40_000_000);
    if (path === '/endless' || path === '/events') return events(path, response);
    if (path === '/silent') return;
    if (path === '/trailers') {
      response.writeHead(200, { Trailer: 'X-Sum' });
      response.write('body');
      response.addTrailers({ 'X-Sum': 'abc' });
      return void response.end();
    }
    if (path === '/redirect')
      return void response.writeHead(302, { Location: `http://${seen.headers.host ?? ''}/next?x=1` }).end();
    if (path === '/cookies')
      return void response
        .writeHead(200, { 'Set-Cookie': ['a=1', 'b=2'], Connection: 'keep-alive, X-Inner', 'X-Inner': 'x' })
        .end('ok');
    if (path === '/empty') return void response.writeHead(204).end();
    const { 'postern-assertion': _, ...headers } = seen.headers;
    const text = JSON.stringify({ method: seen.method, url: seen.url, headers, body: seen.body });
    response.writeHead(200, { 'Content-Type': 'application/json', 'Content-Length': Buffer.byteLength(text) });
    response.end(text);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const closed = once(this.server, 'close');
    this.server.close();
    this.#webSockets.close();
    for (const socket of this.sockets) socket.destroy();
    await closed;
  }
}

function events(path: string, response: ServerResponse): void {
  response.writeHead(200, { 'Content-Type': 'text/event-stream' });
  response.write('data: first\n\n');
  if (path === '/events') response.end('data: last\n\n');
}

function bulk(response: ServerResponse, bytes: number): void {
  response.writeHead(200, { 'Content-Length': bytes });
  const block = Buffer.alloc(65_536, 'x');
  let left = bytes;
  const more = (): void => {
    while (left > 0 && !response.destroyed) {
      const piece = block.subarray(0, left);
      left -= piece.length;
      if (!response.write(piece)) return;
    }
    response.end();
  };
  response.on('drain', more);
  more();
}
