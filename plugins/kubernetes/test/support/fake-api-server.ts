import { createHash } from 'node:crypto';
import { once } from 'node:events';
import type { IncomingMessage, ServerResponse } from 'node:http';
import https from 'node:https';
import type { AddressInfo, Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { Authority } from './authority.js';
import { serveSpdyExec } from './fake-spdy-exec.js';
import { serveWebSocketExec } from './fake-websocket-exec.js';

/** What the server saw: whom each request came from, and what it was. */
export interface SeenRequest {
  readonly method: string;
  readonly url: string;
  readonly headers: IncomingMessage['headers'];
  readonly rawHeaders: readonly string[];
  body: string;
}

const list = (kind: string, items: readonly unknown[] = []) => ({ kind, apiVersion: 'v1', metadata: {}, items });

const resources = {
  kind: 'APIResourceList',
  groupVersion: 'v1',
  resources: ['pods', 'configmaps', 'namespaces'].map((name) => ({
    name,
    singularName: name.slice(0, -1),
    namespaced: name !== 'namespaces',
    kind: { pods: 'Pod', configmaps: 'ConfigMap', namespaces: 'Namespace' }[name],
    verbs: ['get', 'list', 'watch', 'create', 'delete'],
  })),
};

const pod = {
  kind: 'Pod',
  apiVersion: 'v1',
  metadata: { name: 'box', namespace: 'shop' },
  spec: { containers: [{ name: 'main', image: 'x' }] },
  status: { phase: 'Running' },
};

const answers: Readonly<Record<string, unknown>> = {
  '/version': { major: '1', minor: '33', gitVersion: 'v1.33.0-fake' },
  '/api': { kind: 'APIVersions', versions: ['v1'], serverAddressByClientCIDRs: [] },
  '/apis': { kind: 'APIGroupList', apiVersion: 'v1', groups: [] },
  '/api/v1': resources,
  '/api/v1/namespaces/shop/pods': list('PodList', [pod]),
  '/api/v1/namespaces/shop/pods/box': pod,
  '/api/v1/namespaces/shop/configmaps': list('ConfigMapList'),
};

/**
 * Speaks as much of the API server's HTTP as tests need, over real TLS: lists,
 * watches, echoes, large bodies, and `exec` over WebSocket and SPDY. It knows
 * one token, and says who a request is made as.
 */
export class FakeApiServer implements AsyncDisposable {
  readonly token = 'fake-agent-token-fedcba9876543210';
  readonly host = '127.0.0.1';
  readonly seen: SeenRequest[] = [];
  /** Answers instead of the server, where a test wants it to lie: the bytes go out as they are. */
  lie: ((socket: Socket, request: IncomingMessage) => void) | undefined;
  readonly #sockets = new Set<Socket>();

  private constructor(
    private readonly server: https.Server,
    readonly authority: Authority,
  ) {
    server.on('secureConnection', (socket) => {
      this.#sockets.add(socket.on('error', () => {}));
      socket.once('close', () => this.#sockets.delete(socket));
    });
    server.on('request', (request, response) => void this.#answer(request, response));
    server.on('upgrade', (request, socket, head) => this.#upgrade(request, socket, head));
  }

  static async start(): Promise<FakeApiServer> {
    const authority = new Authority('fake kubernetes');
    const { certificate, key } = authority.issue('kube-apiserver', ['DNS:localhost', 'IP:127.0.0.1']);
    const server = https.createServer({ cert: certificate, key, keepAliveTimeout: 60_000 }).listen(0, '127.0.0.1');
    await once(server, 'listening');
    return new FakeApiServer(server, authority);
  }

  get port(): number {
    return (this.server.address() as AddressInfo).port;
  }

  /** As an operator would register it. */
  get spec() {
    return {
      host: this.host,
      port: this.port,
      tls: { ca: this.authority.certificate },
      auth: { method: 'token', secret: 'kube-token' },
    };
  }

  /** Everything that requests said, as text. */
  received(): string {
    return this.seen
      .map(({ method, url, rawHeaders, body }) => `${method} ${url}\n${rawHeaders.join('\n')}\n${body}\n`)
      .join('');
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.server.close();
    for (const socket of this.#sockets) socket.destroy();
    await once(this.server, 'close');
    this.authority[Symbol.dispose]();
  }

  #see(request: IncomingMessage): SeenRequest {
    const { method = '', url = '', headers, rawHeaders } = request;
    const seen = { method, url, headers, rawHeaders, body: '' };
    this.seen.push(seen);
    return seen;
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const seen = this.#see(request);
    const digest = createHash('sha256');
    let length = 0;
    for await (const chunk of request) {
      digest.update(chunk as Buffer);
      length += (chunk as Buffer).length;
      if (seen.body.length < 4096) seen.body += String(chunk);
    }
    if (this.lie) return this.lie(request.socket, request);
    if (request.headers.authorization !== `Bearer ${this.token}`)
      return json(response, 401, { kind: 'Status', message: 'Unauthorized' });
    const { pathname, searchParams } = new URL(seen.url, 'https://x');
    if (searchParams.get('watch') !== null) return watch(response);
    if (pathname === '/api/v1/namespaces/shop/configmaps/bulk') return void response.end(Buffer.alloc(6_000_000, 'x'));
    if (request.method === 'POST')
      return json(response, 201, {
        kind: 'ConfigMap',
        apiVersion: 'v1',
        metadata: { name: 'made', annotations: { sha256: digest.digest('hex'), length: String(length) } },
      });
    const answer = answers[pathname.replace(/(?<=.)\/$/, '')];
    json(response, answer ? 200 : 404, answer ?? { kind: 'Status', apiVersion: 'v1', status: 'Failure', code: 404 });
  }

  #upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void {
    this.#see(request);
    if (this.lie) return this.lie(socket as Socket, request);
    if (request.headers.authorization !== `Bearer ${this.token}`)
      return void socket.end('HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\n\r\n');
    const { searchParams } = new URL(request.url ?? '', 'https://x');
    const command = searchParams.getAll('command').join(' ');
    if (head.length > 0) socket.unshift(head);
    if (request.headers.upgrade?.toLowerCase() === 'websocket') serveWebSocketExec(request, socket, command);
    else serveSpdyExec(request, socket, command);
  }
}

function json(response: ServerResponse, status: number, body: unknown): void {
  response.writeHead(status, { 'Content-Type': 'application/json' }).end(`${JSON.stringify(body)}\n`);
}

function watch(response: ServerResponse): void {
  response.writeHead(200, { 'Content-Type': 'application/json' });
  const metadata = { name: 'first', namespace: 'shop', resourceVersion: '7' };
  response.write(`${JSON.stringify({ type: 'ADDED', object: { kind: 'ConfigMap', apiVersion: 'v1', metadata } })}\n`);
}
