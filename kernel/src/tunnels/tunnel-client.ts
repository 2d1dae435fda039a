import { PosternError, type Logger } from '@postern/plugin-sdk';
import { setTimeout as sleep } from 'node:timers/promises';
import tls from 'node:tls';
import type { ServedRoute } from './agent-table.js';
import { Backoff } from './backoff.js';
import { maxRoutesPerFrame, proxyFrame, type AgentFrame, type DialFrame, type ProxyFrame } from './control-frames.js';
import { ControlLink, keepAlive, type KeepAlive } from './control-link.js';
import { DialBack } from './dial-back.js';
import type { Take } from './handover.js';
import { tunnelProtocol } from './router.js';
import type { ServiceTls } from './tunnel-server.js';

export interface TunnelClientOptions {
  /** The public port of one proxy. */
  readonly proxy: { readonly host: string; readonly port: number };
  /** The cluster's DNS name: the proxy must have a certificate for it. */
  readonly cluster: string;
  /** Asked before every connection, so that a renewed certificate is used by the next one. */
  tls(): ServiceTls;
  readonly routes: Iterable<ServedRoute>;
  /** Takes the clients that the proxy sends. Must not throw. */
  readonly take: Take;
  readonly log: Logger;
  readonly keepAlive?: KeepAlive;
  readonly backoff?: { readonly firstMs: number; readonly maxMs: number };
  /** How many clients this agent has at a time; more are declined. */
  readonly maxConnections?: number;
}

type Link = ControlLink<ProxyFrame, AgentFrame>;

const connectMs = 10_000;

/**
 * An agent's end of the tunnel to one proxy. Keeps a control connection,
 * announces what the agent serves, and for every client that the proxy names
 * opens a connection of its own and hands it on. Connects again by itself,
 * until it is disposed.
 */
export class TunnelClient implements AsyncDisposable {
  readonly #routes = new Map<string, ServedRoute>();
  readonly #stop = new AbortController();
  readonly #backoff: Backoff;
  readonly #dialBack: DialBack;
  #link: Link | undefined;
  #running: Promise<void> | undefined;
  #ready = false;
  readonly #whenReady: { resolve(): void; reject(cause: PosternError): void }[] = [];

  private constructor(private readonly options: TunnelClientOptions) {
    this.#backoff = new Backoff(options.backoff?.firstMs, options.backoff?.maxMs);
    this.#dialBack = new DialBack(options.take, options.maxConnections);
    for (const route of options.routes) this.#routes.set(keyOf(route), route);
  }

  /** Begins to connect and returns at once; {@link ready} tells when the proxy knows the routes. */
  static start(options: TunnelClientOptions): TunnelClient {
    const client = new TunnelClient(options);
    client.#running = client.#run();
    return client;
  }

  /** True while the proxy can send clients. */
  get connected(): boolean {
    return this.#ready;
  }

  /** Resolves when the proxy knows the routes, now or as soon as it does. Rejects with `aborted` on disposal. */
  ready(): Promise<void> {
    if (this.#stop.signal.aborted) return Promise.reject(shuttingDown());
    return this.#ready
      ? Promise.resolve()
      : new Promise((resolve, reject) => this.#whenReady.push({ resolve, reject }));
  }

  /** Changes what the agent serves. */
  update(changes: { readonly add?: Iterable<ServedRoute>; readonly remove?: Iterable<ServedRoute> }): void {
    const add = [...(changes.add ?? [])];
    const remove = [...(changes.remove ?? [])];
    for (const route of remove) this.#routes.delete(keyOf(route));
    for (const route of add) this.#routes.set(keyOf(route), route);
    if (this.#link) announce(this.#link, add, remove);
  }

  /** Closes the control connection. Clients that are connected stay. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort();
    this.#link?.close(shuttingDown());
    for (const waiting of this.#whenReady.splice(0)) waiting.reject(shuttingDown());
    await this.#running;
  }

  async #run(): Promise<void> {
    const { signal } = this.#stop;
    const { host, port } = this.options.proxy;
    while (!signal.aborted) {
      const reason = await this.#connect().catch((cause: unknown) => PosternError.from(cause));
      this.#ready = false;
      this.#link = undefined;
      if (signal.aborted) return;
      const retryMs = this.#backoff.next();
      this.options.log.warn('the tunnel to the proxy is down', {
        proxy: `${host}:${port}`,
        reason: reason.message,
        retryMs,
      });
      // Rejects on abort only, and then the loop ends.
      await sleep(retryMs, undefined, { signal }).catch(() => {});
    }
  }

  /** Connects, and resolves to the reason when the connection is over. */
  async #connect(): Promise<PosternError> {
    const socket = await this.#handshake();
    const link: Link = new ControlLink(
      socket,
      proxyFrame,
      (frame) => this.#onFrame(link, socket, frame),
      this.options.keepAlive ?? keepAlive,
    );
    this.#link = link;
    if (this.#stop.signal.aborted) link.close(shuttingDown());
    announce(link, [...this.#routes.values()], []);
    return link.closed;
  }

  #handshake(): Promise<tls.TLSSocket> {
    const { proxy, cluster } = this.options;
    const { certificate, key, authorities } = this.options.tls();
    const socket = tls.connect({
      ...proxy,
      servername: cluster,
      cert: certificate,
      key,
      ca: authorities,
      minVersion: 'TLSv1.3',
      ALPNProtocols: [tunnelProtocol],
    });
    return new Promise((resolve, reject) => {
      const fail = (cause: Error): void => {
        clearTimeout(timer);
        socket.destroy();
        reject(new PosternError('unavailable', cause.message, { cause }));
      };
      const stop = (): void => fail(new Error('the agent is shutting down'));
      const timer = setTimeout(() => fail(new Error(`no handshake within ${connectMs} ms`)), connectMs).unref();
      socket.on('error', fail);
      this.#stop.signal.addEventListener('abort', stop, { once: true });
      socket.once('secureConnect', () => {
        this.#stop.signal.removeEventListener('abort', stop);
        clearTimeout(timer);
        socket.setNoDelay(true);
        if (socket.alpnProtocol === tunnelProtocol) resolve(socket);
        else fail(new Error('what answers there takes no tunnels'));
      });
    });
  }

  #onFrame(link: Link, socket: tls.TLSSocket, frame: Exclude<ProxyFrame, { type: 'ping' }> | ProxyFrame): void {
    switch (frame.type) {
      case 'announced':
        return this.#announced(frame.refused);
      case 'dial':
        return this.#dial(link, socket, frame);
      case 'signal':
        return this.#dialBack.signal(frame.connection, Buffer.from(frame.payload, 'base64'));
      case 'goodbye':
        return link.close(new PosternError('unavailable', frame.reason));
      case 'ping':
        return;
    }
  }

  #announced(refused: readonly ServedRoute[]): void {
    for (const { kind, label } of refused)
      this.options.log.error('the proxy refused a route: this agent may not serve it', { kind, label });
    this.#ready = true;
    this.#backoff.reset();
    for (const waiting of this.#whenReady.splice(0)) waiting.resolve();
  }

  #dial(link: Link, socket: tls.TLSSocket, frame: DialFrame): void {
    const decline = (reason: string): void =>
      void link.send({ type: 'declined', connection: frame.connection, reason: reason.slice(0, 500) });
    if (!this.#routes.has(keyOf(frame))) return decline('it does not serve this resource');
    // The address behind the name may be another proxy's: the ticket is only good at the one that issued it.
    this.#dialBack.dial(
      { host: socket.remoteAddress ?? this.options.proxy.host, port: this.options.proxy.port },
      frame,
      decline,
    );
  }
}

const shuttingDown = (): PosternError => new PosternError('aborted', 'the agent is shutting down');

const keyOf = ({ kind, label }: ServedRoute): string => `${label}.${kind}`;

/** Says it in as many frames as it takes, and in one where there is nothing to say: the answer makes the agent ready. */
function announce(link: Link, add: readonly ServedRoute[], remove: readonly ServedRoute[]): void {
  for (let at = 0; at === 0 || at < Math.max(add.length, remove.length); at += maxRoutesPerFrame) {
    const part = <T>(routes: readonly T[]): T[] => routes.slice(at, at + maxRoutesPerFrame);
    link.send({ type: 'announce', add: part(add).map(bare), remove: part(remove).map(bare) });
  }
}

const bare = ({ kind, label }: ServedRoute): ServedRoute => ({ kind, label });
