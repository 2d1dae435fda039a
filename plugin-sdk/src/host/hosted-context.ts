import type { AuditPort, Hold } from '../audit.js';
import { PosternError } from '../errors.js';
import type { Denial } from '../identity.js';
import type { AnyProtocol, ConfigOf } from '../protocol.js';
import type { Recording } from '../recording.js';
import type { Logger, Resource, SessionContext } from '../session.js';
import type { SessionHost } from './session-host.js';

const lost: Denial = {
  code: 'unavailable',
  message: 'what cannot be recorded must not happen: the audit log is unavailable',
};

/**
 * What a session may touch besides its client. An event that cannot be recorded
 * ends the session, whatever the plugin does with the error.
 */
export class HostedContext<P extends AnyProtocol> implements SessionContext<P> {
  readonly signal: AbortSignal;
  readonly audit: AuditPort<P['audit']>;
  readonly #recordings = new Set<Recording>();
  /** What the protocol's events are called in the log: put together once. */
  readonly #types = new Map<string, string>();
  #phase: 'opening' | 'running' | 'over' = 'opening';

  constructor(
    private readonly host: SessionHost<P>,
    private readonly stop: AbortController,
  ) {
    this.signal = stop.signal;
    this.audit = { emit: (name, fields) => this.#emit(name, fields) };
  }

  get id(): string {
    return this.host.id;
  }
  get cluster(): string {
    return this.host.cluster;
  }
  get resource(): Resource<P> {
    return this.host.resource;
  }
  get config(): ConfigOf<P> {
    return this.host.config;
  }
  get log(): Logger {
    return this.host.log;
  }

  /** From now on there is a recorded start to which events and recordings belong. */
  admitted(): void {
    this.#phase = 'running';
  }

  /** From now on nothing belongs to this session any more. */
  over(): void {
    this.#phase = 'over';
  }

  async record(kind: string, header: Readonly<Record<string, unknown>>): Promise<Recording> {
    this.#mustRun();
    if (!Object.hasOwn(this.host.protocol.recordings ?? {}, kind))
      throw new PosternError('internal', `${this.host.protocol.id} does not declare the recording ${kind}`);
    const recording = await this.host.record(kind, header);
    this.#recordings.add(recording);
    if (this.#phase === 'over') await this.closeRecordings();
    this.#mustRun();
    return recording;
  }

  async closeRecordings(): Promise<void> {
    const results = await Promise.allSettled([...this.#recordings].map(async (recording) => recording.close()));
    for (const result of results)
      if (result.status === 'rejected')
        this.host.log.error('a recording could not be closed', { cause: PosternError.from(result.reason).message });
  }

  #emit(name: string, fields: unknown): Hold {
    this.#mustRun();
    try {
      const hold = this.host.emit(this.#typeOf(name), fields as Readonly<Record<string, unknown>>);
      if (!(hold instanceof Promise)) return undefined;
      const held = hold.catch((cause: unknown) => this.#lose(cause));
      // A plugin that forgets to wait loses its session, not the whole process.
      held.catch(() => {});
      return held;
    } catch (cause) {
      this.#lose(cause);
    }
  }

  #typeOf(name: string): string {
    const known = this.#types.get(name);
    if (known !== undefined) return known;
    const { id, audit } = this.host.protocol;
    if (!Object.hasOwn(audit, name)) throw new PosternError('internal', `${id} does not declare the event ${name}`);
    const type = `${id}.${name}`;
    this.#types.set(name, type);
    return type;
  }

  #lose(cause: unknown): never {
    this.host.log.error('an event could not be recorded', { cause: PosternError.from(cause).message });
    this.stop.abort(lost);
    throw new PosternError('audit_unavailable', 'an event could not be recorded', {
      cause,
      publicMessage: lost.message,
    });
  }

  #mustRun(): void {
    if (this.#phase === 'running') return;
    const when = this.#phase === 'over' ? 'after the session was over' : 'before the session was admitted';
    throw new PosternError('internal', `nothing can be recorded ${when}`);
  }
}
