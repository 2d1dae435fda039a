import type { Duplex } from 'node:stream';
import { isDeepStrictEqual } from 'node:util';
import { PosternError } from '@postern/plugin-sdk';
import type {
  AnyProtocol,
  Credentials,
  Denial,
  Endpoint,
  Hold,
  Identity,
  Logger,
  Recording,
  ServerCredentials,
} from '@postern/plugin-sdk';
import { defaultLimits, type Admission, type Outcome, type SessionHost } from '@postern/plugin-sdk/host';
import { verifyOpenSshUserCertificate } from '../certificates/index.js';
import type { ResourceDocument } from '../cluster/documents.js';
import { sessionEnd, type Allowed } from '../rbac/index.js';
import { decideWanted, denialIn } from './admission.js';
import type { AgentServices } from './agent-services.js';
import { AuditedRecording, noRecording } from './audited-recording.js';
import { Deadlines } from './deadlines.js';
import { SessionCredentials } from './session-credentials.js';
import { deniedFields, outcomeFields, startFields } from './session-fields.js';
import type { SessionProof } from './session-signing.js';

export interface AgentSessionOptions {
  readonly id: string;
  readonly protocol: AnyProtocol;
  readonly resource: ResourceDocument;
  /** The same document as the cluster knew it when the connection came. */
  readonly registered: ResourceDocument;
  readonly config: unknown;
  readonly connection: number;
  readonly source: string;
  readonly alpn: string | undefined;
  readonly client: Duplex;
  readonly server: ServerCredentials;
  /** What TLS brought: an identity, or why there is none. */
  readonly presented:
    | { readonly identity: Identity; readonly certificate: SessionProof['certificate'] }
    | { readonly denial: Denial }
    | undefined;
  /** Aborts when the agent stops; the reason is a {@link Denial}. */
  readonly signal: AbortSignal;
}

const unauthenticated: Denial = { code: 'unauthenticated', message: 'no certificate was presented; run psh login' };
const removed: Denial = { code: 'not_found', message: 'the resource was removed' };
const replaced: Denial = { code: 'unavailable', message: 'the resource was changed meanwhile; connect again' };

/** The kernel's side of one session: every decision and every record of it. */
export class AgentSession implements SessionHost<AnyProtocol> {
  readonly id: string;
  readonly cluster: string;
  readonly protocol: AnyProtocol;
  readonly resource: ResourceDocument;
  readonly config: unknown;
  readonly connection: number;
  readonly source: string;
  readonly alpn: string | undefined;
  readonly identity: Identity | undefined;
  readonly server: ServerCredentials;
  readonly log: Logger;
  readonly limits = defaultLimits;
  readonly signal: AbortSignal;
  readonly #cut = new AbortController();
  #certificate: SessionProof['certificate'] | undefined;
  #admitted: { readonly decision: Allowed; readonly identity: Identity; readonly started: Date } | undefined;
  #deadlines: Deadlines | undefined;

  constructor(
    private readonly options: AgentSessionOptions,
    private readonly services: AgentServices,
  ) {
    const { presented } = options;
    this.id = options.id;
    this.cluster = services.cluster;
    this.protocol = options.protocol;
    this.resource = options.resource;
    this.config = options.config;
    this.connection = options.connection;
    this.source = options.source;
    this.alpn = options.alpn;
    this.server = options.server;
    this.signal = options.signal;
    this.log = services.log;
    this.identity = presented && 'identity' in presented ? presented.identity : undefined;
    this.#certificate = presented && 'identity' in presented ? presented.certificate : undefined;
  }

  get revision(): number {
    return this.services.view.revision;
  }

  async verify({ blob }: { readonly kind: 'openssh-certificate'; readonly blob: Buffer }): Promise<Identity> {
    const { view, now } = this.services;
    const identity = verifyOpenSshUserCertificate(blob, [view.trust('user')], now());
    this.#certificate = { kind: 'openssh', blob };
    return identity;
  }

  async admit(identity: Identity | undefined, ask: unknown): Promise<Admission> {
    if (!identity) return this.#deny(undefined, ask, this.#withoutIdentity());
    const changed = this.#changed();
    if (changed) return this.#deny(identity, ask, changed);
    const decision = this.#decide(identity, ask, 'opening');
    if (!decision.allowed) return this.#deny(identity, ask, denialIn(decision) ?? unauthenticated);
    const { maxConnections = Infinity } = decision.options;
    const place = this.services.live.enter(identity.user, maxConnections);
    if (!place) return this.#deny(identity, ask, tooMany(maxConnections));
    try {
      await this.#start(identity, ask, decision);
    } finally {
      place.release();
    }
    return { allowed: true, signal: this.#cut.signal };
  }

  async decide(identity: Identity, ask: unknown): Promise<Denial | undefined> {
    const denial = denialIn(this.#decide(identity, ask, 'session'));
    if (denial) await this.#deny(identity, ask, denial);
    return denial;
  }

  async refused({ code, message }: Denial): Promise<void> {
    const hostname = `${this.resource.name}.${this.resource.kind}`;
    await this.#report('connection.refused', { code, message, hostname });
  }

  credentials(_identity: Identity, ask: unknown): Credentials {
    const certificate = this.#certificate;
    if (!certificate) throw new PosternError('internal', 'a session without a certificate has no credentials');
    const { kind, name } = this.resource;
    return new SessionCredentials(this.services, {
      session: this.id,
      resource: { kind, name },
      ask,
      certificate,
      source: this.source,
    });
  }

  dial(endpoint: Endpoint): Promise<Duplex> {
    return this.services.dialer.dial(endpoint);
  }

  emit(type: string, fields: Readonly<Record<string, unknown>>): Hold {
    return this.#report(type, fields);
  }

  async record(kind: string, header: Readonly<Record<string, unknown>>): Promise<Recording> {
    const admitted = this.#admitted;
    const format = this.protocol.recordings?.[kind]?.format;
    if (!admitted || !format) throw new PosternError('internal', `nothing can be recorded as ${kind} now`);
    const { recording } = admitted.decision.options;
    if (recording === 'off') return noRecording;
    const { kind: resourceKind, name: resource } = this.resource;
    const { user } = admitted.identity;
    const about = { session: this.id, kind, format, user, resourceKind, resource, cluster: this.cluster, header };
    const made = await this.services.recordings.create(about);
    const emit = (type: string, fields: Readonly<Record<string, unknown>>): Hold => this.#report(type, fields);
    return new AuditedRecording(made, { kind, demanded: recording === 'strict', emit });
  }

  async end(outcome: Outcome): Promise<void> {
    this.#deadlines?.[Symbol.dispose]();
    this.services.live.remove(this.id);
    await this.#reportEnd(outcome);
  }

  async #start(identity: Identity, ask: unknown, decision: Allowed): Promise<void> {
    const started = this.services.now();
    this.#admitted = { decision, identity, started };
    await this.#reportStart(identity, ask);
    const cut = (denial: Denial): void => this.#cut.abort(denial);
    this.#deadlines = new Deadlines({
      end: sessionEnd(decision.options, identity.expires, started),
      idleMs: decision.options.idleTimeoutMs,
      client: this.options.client,
      now: this.services.now,
      cut,
    });
    const { kind, name: resource } = this.resource;
    const { id, source } = this;
    this.services.live.add({ id, identity, kind, resource, ask: ask as Record<string, unknown>, source, started, cut });
    // A lock that came while the start was being recorded has not met this session in the review.
    const denial = denialIn(this.#decide(identity, ask, 'session'));
    if (denial) cut(denial);
  }

  /** A client may take its time to open: what it is let into must still be what it connected to. */
  #changed(): Denial | undefined {
    const { registered } = this.options;
    const current = this.services.view.resource(registered);
    if (!current) return removed;
    return isDeepStrictEqual(current.spec, registered.spec) ? undefined : replaced;
  }

  async #reportStart(identity: Identity, ask: unknown): Promise<void> {
    try {
      await this.#report('session.start', startFields(this.connection, identity, ask));
    } catch (cause) {
      // Not acknowledged in time, it is still in the queue and will be in the log: so must its end be.
      if (this.#strength === 'strict') await this.#reportEnd({ kind: 'failed', error: PosternError.from(cause) });
      throw cause;
    }
  }

  /** An end holds nothing back, so that nobody waits for its acknowledgement. */
  async #reportEnd(outcome: Outcome): Promise<void> {
    const started = this.#admitted?.started ?? this.services.now();
    const fields = {
      connection: this.connection,
      ...outcomeFields(outcome),
      durationMs: Math.max(0, this.services.now().getTime() - started.getTime()),
    };
    await this.#report('session.end', fields, { strength: 'spool' });
  }

  #decide(identity: Identity, ask: unknown, stage: 'opening' | 'session'): ReturnType<typeof decideWanted> {
    const { protocol, source } = this;
    const { registered } = this.options;
    return decideWanted(this.services.view, {
      identity,
      source,
      protocol,
      // Its labels may be others by now.
      resource: this.services.view.resource(registered) ?? registered,
      ask,
      stage,
      now: this.services.now(),
    });
  }

  #withoutIdentity(): Denial {
    const { presented } = this.options;
    return presented && 'denial' in presented ? presented.denial : unauthenticated;
  }

  async #deny(identity: Identity | undefined, ask: unknown, denial: Denial): Promise<Admission & { allowed: false }> {
    await this.#report('session.denied', deniedFields(this.connection, denial, { identity, ask }), { identity });
    return { allowed: false, denial };
  }

  get #strength(): 'spool' | 'strict' {
    return this.#admitted?.decision.options.audit ?? 'spool';
  }

  #report(
    type: string,
    fields: Readonly<Record<string, unknown>>,
    { identity = this.#admitted?.identity, strength = this.#strength }: ReportOptions = {},
  ): Hold {
    const { kind, name } = this.resource;
    const draft = {
      type,
      fields,
      session: this.id,
      resource: { kind, name },
      source: this.source,
      ...(identity && { user: identity.user }),
    };
    return this.services.events.emit(draft, strength);
  }
}

interface ReportOptions {
  readonly identity?: Identity | undefined;
  readonly strength?: 'spool' | 'strict';
}

const tooMany = (most: number): Denial => ({
  code: 'limit_exceeded',
  message: `your roles allow ${most} session${most === 1 ? '' : 's'} at a time`,
});
