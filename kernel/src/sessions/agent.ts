import type { X509Certificate } from 'node:crypto';
import type { Duplex } from 'node:stream';
import { PosternError, type Denial } from '@postern/plugin-sdk';
import { denialOf, startSession } from '@postern/plugin-sdk/host';
import { eventIds } from '../audit/index.js';
import { verifyUserCertificate } from '../certificates/index.js';
import type { LabelConditions } from '../rbac/index.js';
import { localDialer, type AgentTable, type Dialer, type Handover, type ServedRoute } from '../tunnels/index.js';
import { decideWanted, denialIn } from './admission.js';
import type { AgentServices } from './agent-services.js';
import { AgentSession, type AgentSessionOptions } from './agent-session.js';
import type { LiveSession } from './live-sessions.js';
import type { PluginRuntime } from './plugin-runtime.js';
import { Prober, type ProberOptions } from './prober.js';
import { ServedResources, type ServedResource } from './served-resources.js';
import { SharedSessions } from './shared-sessions.js';
import { StopSignals } from './stop-signals.js';

export interface AgentOptions {
  readonly services: AgentServices;
  readonly runtimes: ReadonlyMap<string, PluginRuntime>;
  readonly accept: LabelConditions;
  /** Absent where resources are not to be probed. */
  readonly probes?: Omit<ProberOptions, 'services'> | undefined;
  /** Where the proxy of the same process looks up who serves what. */
  readonly table?: AgentTable;
  /** Called with what this agent begins and ceases to serve. */
  readonly served?: (added: readonly ServedRoute[], removed: readonly ServedRoute[]) => void;
}

const stopping: Denial = { code: 'unavailable', message: 'the agent is shutting down; connect again' };

/**
 * Runs beside resources: takes connections that were handed over, ends their
 * encryption, decides, and runs their sessions. A change of roles, locks or
 * users is applied to the sessions that run.
 */
export class Agent implements AsyncDisposable {
  /** Takes connections of the proxy in the same process. */
  readonly dialer: Dialer = localDialer((handover) => this.take(handover));
  readonly #resources: ServedResources;
  readonly #newId: () => string;
  readonly #stops = new StopSignals();
  readonly #shared: SharedSessions;
  readonly #prober: Prober | undefined;
  readonly #running = new Set<Promise<unknown>>();
  readonly #unsubscribe: () => void;

  constructor(private readonly options: AgentOptions) {
    const { services, runtimes, accept } = options;
    this.#resources = new ServedResources({ services, runtimes, accept });
    this.#prober = options.probes && new Prober({ ...options.probes, services });
    this.#shared = new SharedSessions(services.log);
    const next = eventIds();
    this.#newId = () => next(services.now().getTime());
    this.#unsubscribe = services.view.onChange(() => this.#refresh());
    this.#refresh();
  }

  /** How many resources are served. */
  get serving(): number {
    return this.#resources.size;
  }

  /** True where this agent serves the resource: what it may have signed. */
  serves(resource: { readonly kind: string; readonly name: string }): boolean {
    return this.#resources.has(resource);
  }

  /** Takes a connection. Never throws; what goes wrong is told to the client and recorded. */
  take(handover: Handover): void {
    const run = this.#run(handover)
      .catch((cause: unknown) => this.#drop(handover, cause))
      .finally(() => this.#running.delete(run));
    this.#running.add(run);
  }

  /** Ends every session with a word to its client, waits for all of them, and takes no more. */
  async stop(): Promise<void> {
    this.#unsubscribe();
    this.options.table?.remove(this.dialer, this.#resources.routes);
    this.#stops.abort(stopping);
    await this.#prober?.[Symbol.asyncDispose]();
    // One that was just being handed over still comes, and is turned away.
    while (this.#running.size > 0) await Promise.all(this.#running);
    await this.#shared[Symbol.asyncDispose]();
  }

  /** Also stops, where that was not done before. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
    for (const { scope } of this.options.runtimes.values()) await scope[Symbol.asyncDispose]();
  }

  async #run(handover: Handover): Promise<void> {
    const { route } = handover;
    const served =
      route.kind === 'agent' ? this.#resources.find({ kind: route.protocol, label: route.label }) : undefined;
    if (!served) throw new PosternError('not_found', `${handover.name} is not served here`);
    const stop = this.#stops.open();
    try {
      await this.#converse(served, handover, stop.signal);
    } finally {
      stop.release();
    }
  }

  async #converse(served: ServedResource, handover: Handover, signal: AbortSignal): Promise<void> {
    const { protocol, module, scope, config } = served.runtime;
    const { stream, alpn, presented } = await this.#endTransport(served, handover, signal);
    const options: AgentSessionOptions = {
      id: this.#newId(),
      protocol,
      resource: served.document,
      registered: served.registered,
      config,
      connection: handover.connection,
      source: handover.source,
      alpn,
      client: stream,
      seats: this.#shared.seatsFor({
        protocol,
        resource: served.document.name,
        identity: presented && 'identity' in presented ? presented.identity : undefined,
        source: handover.source,
      }),
      server: served.server,
      presented,
      signal,
    };
    const session = startSession(new AgentSession(options, this.options.services), module, stream, scope);
    handover.onSignal((payload) => {
      session.signal(payload).catch((cause: unknown) => {
        this.options.services.log.debug('a signal failed', { cause: PosternError.from(cause).message });
      });
    });
    await session.done;
  }

  async #endTransport(
    { runtime, server }: ServedResource,
    { socket }: Handover,
    signal: AbortSignal,
  ): Promise<Pick<AgentSessionOptions, 'alpn' | 'presented'> & { readonly stream: Duplex }> {
    if (runtime.protocol.transport.kind === 'native') return { stream: socket, alpn: undefined, presented: undefined };
    const { stream, certificate } = await (await server.tls()).accept(socket, signal);
    return { stream, alpn: stream.alpnProtocol || undefined, presented: certificate && this.#present(certificate) };
  }

  #present(certificate: X509Certificate): AgentSessionOptions['presented'] {
    const { view, now } = this.options.services;
    try {
      const identity = verifyUserCertificate(certificate, [view.trust('user')], now());
      return { identity, certificate: { kind: 'x509', pem: certificate.toString() } };
    } catch (cause) {
      return { denial: denialOf(cause), detail: PosternError.from(cause).message };
    }
  }

  #refresh(): void {
    const { added, removed } = this.#resources.refresh();
    this.options.table?.add(this.dialer, added);
    this.options.table?.remove(this.dialer, removed);
    this.#prober?.watch(this.#resources);
    if (added.length > 0 || removed.length > 0) this.options.served?.(added, removed);
    this.options.services.live.review((session) => this.#review(session));
  }

  #review({ identity, kind, resource, ask, source }: LiveSession): Denial | undefined {
    const { services, runtimes } = this.options;
    const protocol = runtimes.get(kind)?.protocol;
    const document = services.view.resource({ kind, name: resource });
    if (!protocol || !document) return { code: 'not_found', message: 'the resource was removed' };
    if (!this.#resources.has(document))
      return { code: 'not_found', message: 'the resource is not served by this agent any more' };
    const wanted = { identity, source, protocol, resource: document, ask, now: services.now() };
    return denialIn(decideWanted(services.view, { ...wanted, stage: 'session' }));
  }

  #drop({ socket, source, name }: Handover, cause: unknown): void {
    socket.destroy();
    const { code, message } = PosternError.from(cause);
    const { events, log } = this.options.services;
    log.debug('a connection was refused', { name, source, cause: message });
    const recorded = Promise.resolve().then(() =>
      events.emit({ type: 'connection.refused', source, fields: { code, message, hostname: name } }, 'spool'),
    );
    recorded.catch((failure: unknown) =>
      log.error('a refusal was not recorded', { cause: PosternError.from(failure).message }),
    );
  }
}
