import type { Duplex } from 'node:stream';
import { PosternError, type AnyProtocol, type Denial, type Hold, type Recording } from '@postern/plugin-sdk';
import type { Outcome } from '@postern/plugin-sdk/host';
import type { CertifiedIdentity } from '../certificates/index.js';
import type { ResourceDocument } from '../cluster/documents.js';
import { sessionEnd, type Allowed } from '../rbac/index.js';
import type { AgentServices } from './agent-services.js';
import { AuditedRecording, noRecording } from './audited-recording.js';
import { Deadlines } from './deadlines.js';
import { outcomeFields, startFields } from './session-fields.js';
import type { SessionReporter } from './session-reporter.js';
import { StopSignals } from './stop-signals.js';
import { Traffic } from './traffic.js';

export interface AdmittedSessionOptions {
  readonly id: string;
  readonly protocol: AnyProtocol;
  readonly resource: ResourceDocument;
  readonly source: string;
  /** Of the connection that it began with. */
  readonly connection: number;
  readonly identity: CertifiedIdentity;
  readonly ask: unknown;
  readonly decision: Allowed;
  readonly reporter: SessionReporter;
  readonly services: AgentServices;
  /** Decides the ask once more. */
  review(): Denial | undefined;
  /** Called when the session must end, after its connections have been told. */
  cut?(): void;
}

/** A session from its recorded start to its recorded end, whether one connection is in it or many. */
export class AdmittedSession {
  readonly #cuts = new StopSignals();
  readonly #traffic = new Traffic();
  readonly #shared = new Map<string, Promise<Recording>>();
  readonly #started: Date;
  #deadlines: Deadlines | undefined;

  private constructor(private readonly options: AdmittedSessionOptions) {
    this.#started = options.services.now();
  }

  /** Resolves once the start is recorded. */
  static async start(options: AdmittedSessionOptions): Promise<AdmittedSession> {
    const session = new AdmittedSession(options);
    await session.#reportStart();
    session.#run();
    return session;
  }

  get identity(): CertifiedIdentity {
    return this.options.identity;
  }

  get reporter(): SessionReporter {
    return this.options.reporter;
  }

  get strength(): 'spool' | 'strict' {
    return this.options.decision.options.audit;
  }

  get id(): string {
    return this.options.id;
  }

  /** Why the session must end, once it must. */
  get cutBy(): Denial | undefined {
    return this.#cuts.reason;
  }

  /**
   * Takes a connection in: its bytes are the session's, and its signal aborts
   * when the session must end, with a {@link Denial} as its reason.
   */
  attach(client: Duplex): { readonly signal: AbortSignal; readonly release: () => void } {
    this.#traffic.add(client);
    return this.#cuts.open();
  }

  emit(type: string, fields: Readonly<Record<string, unknown>>): Hold {
    return this.options.reporter.report(type, fields, { user: this.identity.user, strength: this.strength });
  }

  async record(kind: string, header: Readonly<Record<string, unknown>>): Promise<Recording> {
    const declared = this.options.protocol.recordings?.[kind];
    if (!declared) throw new PosternError('internal', `nothing can be recorded as ${kind}`);
    if (!declared.shared) return this.#record(kind, header);
    const made = this.#shared.get(kind) ?? this.#record(kind, header);
    this.#shared.set(kind, made);
    // What one connection releases, the others go on writing.
    const recording = await made;
    return {
      write: (direction, data) => recording.write(direction, data),
      mark: (name, fields) => recording.mark(name, fields),
      close: async () => {},
    };
  }

  /** Stores what is shared, and records the end. Called once. */
  async end(outcome: Outcome): Promise<void> {
    this.#deadlines?.[Symbol.dispose]();
    this.options.services.live.remove(this.options.id);
    for (const made of this.#shared.values()) await made.then((recording) => recording.close()).catch(this.#unclosed);
    await this.#reportEnd(outcome);
  }

  #run(): void {
    const { services, decision, identity, ask, resource, id, source } = this.options;
    const cut = (denial: Denial): void => {
      this.#cuts.abort(denial);
      this.options.cut?.();
    };
    this.#deadlines = new Deadlines({
      end: sessionEnd(decision.options, identity.web?.expires ?? identity.expires, this.#started),
      idleMs: decision.options.idleTimeoutMs,
      traffic: () => this.#traffic.bytes,
      now: services.now,
      cut,
    });
    const { kind, name } = resource;
    const asked = ask as Record<string, unknown>;
    services.live.add({ id, identity, kind, resource: name, ask: asked, source, started: this.#started, cut });
    // A lock that came while the start was being recorded has not met this session in the review.
    const denial = this.options.review();
    if (denial) cut(denial);
  }

  async #record(kind: string, header: Readonly<Record<string, unknown>>): Promise<Recording> {
    const { id: session, protocol, resource, decision, identity, services } = this.options;
    const { recording } = decision.options;
    const format = protocol.recordings?.[kind]?.format;
    if (recording === 'off' || !format) return noRecording;
    const demanded = recording === 'strict';
    try {
      const made = await services.recordings.create({
        session,
        kind,
        format,
        user: identity.user,
        resourceKind: resource.kind,
        resource: resource.name,
        cluster: services.cluster,
        header,
      });
      const emit = (type: string, fields: Readonly<Record<string, unknown>>): Hold => this.emit(type, fields);
      return new AuditedRecording(made, { kind, demanded, emit });
    } catch (cause) {
      const { code, message } = PosternError.from(cause);
      await this.emit('recording.failed', { kind, code, message });
      if (demanded) throw cause;
      return noRecording;
    }
  }

  async #reportStart(): Promise<void> {
    const { connection, identity, ask } = this.options;
    try {
      await this.emit('session.start', startFields(connection, identity, ask));
    } catch (cause) {
      // Not acknowledged in time, it is still in the queue and will be in the log: so must its end be.
      if (this.strength === 'strict') await this.#reportEnd({ kind: 'failed', error: PosternError.from(cause) });
      throw cause;
    }
  }

  /** An end holds nothing back, so that nobody waits for its acknowledgement. */
  async #reportEnd(outcome: Outcome): Promise<void> {
    const { connection, reporter, services } = this.options;
    const durationMs = Math.max(0, services.now().getTime() - this.#started.getTime());
    const fields = { connection, ...outcomeFields(outcome), durationMs };
    await reporter.report('session.end', fields, { user: this.identity.user });
  }

  readonly #unclosed = (cause: unknown): void =>
    this.options.services.log.error('a recording could not be closed', { cause: PosternError.from(cause).message });
}
