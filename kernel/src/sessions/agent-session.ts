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
import { verifyOpenSshUserCertificate, type CertifiedIdentity } from '../certificates/index.js';
import type { ResourceDocument } from '../cluster/documents.js';
import { mayBecome, type Allowed } from '../rbac/index.js';
import { decideWanted, denialIn } from './admission.js';
import { AdmittedSession } from './admitted-session.js';
import type { AgentServices } from './agent-services.js';
import type { Seat, Seats } from './seats.js';
import { SessionCredentials } from './session-credentials.js';
import { deniedFields } from './session-fields.js';
import { SessionReporter } from './session-reporter.js';
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
  readonly seats: Seats;
  readonly server: ServerCredentials;
  /** What TLS brought: an identity, or why there is none; `detail` is for operators. */
  readonly presented:
    | { readonly identity: CertifiedIdentity; readonly certificate: SessionProof['certificate'] }
    | { readonly denial: Denial; readonly detail: string }
    | undefined;
  /** Aborts when the agent stops; the reason is a {@link Denial}. */
  readonly signal: AbortSignal;
}

const unauthenticated: Denial = { code: 'unauthenticated', message: 'no certificate was presented; run psh login' };
const removed: Denial = { code: 'not_found', message: 'the resource was removed' };
const replaced: Denial = { code: 'unavailable', message: 'the resource was changed meanwhile; connect again' };

/** The kernel's side of one connection: every decision and every record of it. */
export class AgentSession implements SessionHost<AnyProtocol> {
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
  #certificate: SessionProof['certificate'] | undefined;
  /** Why the last credential was not believed, for operators. */
  #distrust: string | undefined;
  readonly #reporter: SessionReporter;
  #seat: Seat | undefined;
  #release = (): void => {};

  constructor(
    private readonly options: AgentSessionOptions,
    private readonly services: AgentServices,
  ) {
    const { presented } = options;
    this.cluster = services.cluster;
    this.protocol = options.protocol;
    this.resource = options.resource;
    this.config = options.config;
    this.connection = options.connection;
    this.source = options.source;
    this.alpn = options.alpn;
    this.server = options.server;
    this.signal = options.signal;
    this.#reporter = new SessionReporter({ session: options.id, ...options }, services.events);
    this.log = services.log;
    this.identity = presented && 'identity' in presented ? presented.identity : undefined;
    this.#certificate = presented && 'identity' in presented ? presented.certificate : undefined;
    this.#distrust = presented && 'denial' in presented ? presented.detail : undefined;
  }

  /** Until it is admitted, a connection is a session of its own. */
  get id(): string {
    return this.#seat?.session.id ?? this.options.id;
  }

  get revision(): number {
    return this.services.view.revision;
  }

  async verify({ blob }: { readonly kind: 'openssh-certificate'; readonly blob: Buffer }): Promise<Identity> {
    const { view, now } = this.services;
    try {
      const identity = verifyOpenSshUserCertificate(blob, [view.trust('user')], now());
      this.#certificate = { kind: 'openssh', blob };
      this.#distrust = undefined;
      return identity;
    } catch (cause) {
      this.#distrust = PosternError.from(cause).message;
      throw cause;
    }
  }

  async admit(identity: Identity | undefined, ask: unknown): Promise<Admission> {
    if (!identity) return this.#deny(undefined, ask, this.#withoutIdentity());
    const changed = this.#changed();
    if (changed) return this.#deny(identity, ask, changed);
    const decision = this.#decide(identity, ask, 'opening');
    if (!decision.allowed) return this.#deny(identity, ask, denialIn(decision) ?? unauthenticated);
    const { seats, client } = this.options;
    const { maxConnections = Infinity } = decision.options;
    const place = this.services.live.enter(identity.user, seats.taken ? Infinity : maxConnections);
    if (!place) return this.#deny(identity, ask, tooMany(maxConnections));
    try {
      this.#seat = await seats.take((cut) => this.#begin(identity, ask, decision, cut));
    } finally {
      place.release();
    }
    const { signal, release } = this.#seat.session.attach(client);
    this.#release = release;
    return { allowed: true, signal };
  }

  async decide(identity: Identity, ask: unknown): Promise<Denial | undefined> {
    const denial = denialIn(this.#decide(identity, ask, 'session'));
    if (denial) await this.#deny(identity, ask, denial);
    return denial;
  }

  async refused({ message }: Denial, code: string): Promise<void> {
    const hostname = `${this.resource.name}.${this.resource.kind}`;
    await this.#report('connection.refused', { code, message, ...this.#detail, hostname });
  }

  credentials(identity: Identity, ask: unknown): Credentials {
    const certificate = this.#certificate;
    if (!certificate) throw new PosternError('internal', 'a session without a certificate has no credentials');
    const { kind, name } = this.resource;
    return new SessionCredentials({
      services: this.services,
      proof: { session: this.id, resource: { kind, name }, ask, certificate, source: this.source },
      mayReuse: (principal) => {
        const decision = this.#decide(identity, ask, 'session');
        // Who asks for every event to be in the log before its effect wants this one there too.
        return decision.allowed && decision.options.audit !== 'strict' && mayBecome(decision, principal);
      },
    });
  }

  dial(endpoint: Endpoint): Promise<Duplex> {
    return this.services.dialer.dial(endpoint);
  }

  emit(type: string, fields: Readonly<Record<string, unknown>>): Hold {
    return this.#session.emit(type, fields);
  }

  record(kind: string, header: Readonly<Record<string, unknown>>): Promise<Recording> {
    return this.#session.record(kind, header);
  }

  async end(outcome: Outcome): Promise<void> {
    this.#release();
    await this.#seat?.leave(outcome);
  }

  get #detail(): { readonly detail?: string } {
    return this.#distrust === undefined ? {} : { detail: this.#distrust };
  }

  get #session(): AdmittedSession {
    if (!this.#seat) throw new PosternError('internal', 'nothing belongs to a session that was not admitted');
    return this.#seat.session;
  }

  #begin(identity: Identity, ask: unknown, decision: Allowed, cut: () => void): Promise<AdmittedSession> {
    const { services, protocol, resource, source, connection } = this;
    const { id } = this.options;
    return AdmittedSession.start({
      id,
      protocol,
      resource,
      source,
      connection,
      identity,
      ask,
      decision,
      services,
      cut,
      reporter: this.#reporter,
      // A decision of this connection's, by what is known then.
      review: () => denialIn(this.#decide(identity, ask, 'session')),
    });
  }

  /** A client may take its time to open: what it is let into must still be what it connected to. */
  #changed(): Denial | undefined {
    const { registered } = this.options;
    const current = this.services.view.resource(registered);
    if (!current) return removed;
    return isDeepStrictEqual(current.spec, registered.spec) ? undefined : replaced;
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
    const fields = deniedFields(this.connection, denial, { identity, ask });
    await this.#report('session.denied', { ...fields, ...(!identity && this.#detail) }, identity);
    return { allowed: false, denial };
  }

  #report(type: string, fields: Readonly<Record<string, unknown>>, identity?: Identity): Hold {
    const { session } = this.#seat ?? {};
    const who = identity ?? session?.identity;
    const reporter = session?.reporter ?? this.#reporter;
    return reporter.report(type, fields, { user: who?.user, strength: session?.strength ?? 'spool' });
  }
}

const tooMany = (most: number): Denial => ({
  code: 'limit_exceeded',
  message: `your roles allow ${most} session${most === 1 ? '' : 's'} at a time`,
});
