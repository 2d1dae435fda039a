import { PosternError, type AnyProtocol, type Endpoint, type Health } from '@postern/plugin-sdk';
import { probeResource } from '@postern/plugin-sdk/host';
import type { AgentServices } from './agent-services.js';
import { healthWords, type HealthTable } from './resource-health.js';
import type { ServedResource } from './served-resources.js';

export interface ProberOptions {
  readonly services: Pick<AgentServices, 'dialer' | 'log' | 'now'>;
  readonly health: HealthTable;
  /** How long after a probe's end the next one of the same resource begins, give or take a quarter. */
  readonly intervalMs: number;
  /** How long one probe may take. */
  readonly timeoutMs: number;
  /** How many probes run at once. */
  readonly concurrency: number;
}

/** After a start, or after a document was changed, nobody wants to wait for a whole interval. */
const soonMs = 2000;

interface Watched {
  readonly resource: ServedResource;
  readonly stop: AbortController;
}

/**
 * Asks the plugins now and then whether a session could start at each of the
 * resources that the agent serves. Spread over time, a few at once; a resource
 * whose plugin has no probe is left alone.
 */
export class Prober implements AsyncDisposable {
  readonly #watched = new Map<string, Watched>();
  readonly #waiting: Watched[] = [];
  readonly #running = new Set<Promise<void>>();

  constructor(private readonly options: ProberOptions) {}

  /** Watches exactly these from now on. One that is the same object as before keeps its turn. */
  watch(resources: Iterable<ServedResource>): void {
    const gone = new Map(this.#watched);
    for (const resource of resources) {
      const key = keyOf(resource);
      const known = gone.get(key);
      gone.delete(key);
      if (known?.resource === resource || !resource.runtime.module.Probe) continue;
      known?.stop.abort();
      this.#begin(key, resource);
    }
    for (const [key, { resource, stop }] of gone) {
      stop.abort();
      this.#watched.delete(key);
      this.options.health.forget(resource.document);
    }
  }

  /** Stops at once; resolves when no probe runs any more. */
  async [Symbol.asyncDispose](): Promise<void> {
    for (const { stop } of this.#watched.values()) stop.abort();
    this.#watched.clear();
    await Promise.all(this.#running);
  }

  #begin(key: string, resource: ServedResource): void {
    const watched = { resource, stop: new AbortController() };
    this.#watched.set(key, watched);
    this.#wait(watched, Math.random() * Math.min(soonMs, this.options.intervalMs));
  }

  #wait(watched: Watched, ms: number): void {
    const { signal } = watched.stop;
    const timer = setTimeout(() => {
      signal.removeEventListener('abort', cancel);
      this.#waiting.push(watched);
      this.#next();
    }, ms).unref();
    const cancel = (): void => clearTimeout(timer);
    signal.addEventListener('abort', cancel, { once: true });
  }

  #next(): void {
    while (this.#running.size < this.options.concurrency) {
      const watched = this.#waiting.shift();
      if (!watched) return;
      if (watched.stop.signal.aborted) continue;
      const run = this.#probe(watched).finally(() => {
        this.#running.delete(run);
        this.#next();
      });
      this.#running.add(run);
    }
  }

  async #probe(watched: Watched): Promise<void> {
    const { stop } = watched;
    const found = await this.#ask(watched);
    // What was asked of a document that has been changed meanwhile says nothing about the new one.
    if (stop.signal.aborted) return;
    if (found) this.#note(watched.resource, found);
    const { intervalMs } = this.options;
    this.#wait(watched, intervalMs * (0.75 + Math.random() / 2));
  }

  async #ask({ resource: { document, runtime }, stop }: Watched): Promise<Health | undefined> {
    const limit = new AbortController();
    const end = (): void => limit.abort();
    const timer = setTimeout(end, this.options.timeoutMs).unref();
    stop.signal.addEventListener('abort', end, { once: true });
    try {
      const dial = async (): ReturnType<AgentServices['dialer']['dial']> =>
        this.options.services.dialer.dial(firstEndpoint(runtime.protocol, document.spec));
      const context = { resource: document, signal: limit.signal, dial };
      const found = await probeResource(runtime.module, context, runtime.scope);
      return limit.signal.aborted ? this.#late : found;
    } finally {
      clearTimeout(timer);
      stop.signal.removeEventListener('abort', end);
    }
  }

  get #late(): Health {
    return { ok: false, reason: 'unreachable', detail: `no answer within ${this.options.timeoutMs} ms` };
  }

  #note({ document }: ServedResource, found: Health): void {
    const { health, services } = this.options;
    const { kind, name } = document;
    const before = health.get(document);
    health.set(document, { ...found, at: services.now() });
    if (wordsOf(before) === wordsOf(found)) return;
    if (!found.ok) services.log.warn(`a resource ${healthWords(found)}`, { kind, name, detail: found.detail });
    else if (before) services.log.info('a resource is well again', { kind, name });
  }
}

const keyOf = ({ document: { kind, name } }: ServedResource): string => `${kind}/${name}`;

const wordsOf = (health: Health | undefined): string | undefined => health && healthWords(health);

/** Where a resource lives, whatever is asked of it. */
function firstEndpoint(protocol: AnyProtocol, spec: unknown): Endpoint {
  const [endpoint] = protocol.auth.endpoints(spec, {});
  if (!endpoint) throw new PosternError('upstream_unreachable', 'the resource has no address to be probed at');
  return endpoint;
}
