import type { Duplex } from 'node:stream';
import type { z } from 'zod';
import { redact, type EventCatalog, type Hold } from '../audit.js';
import type { Credentials, ServerCredentials } from '../credentials.js';
import { PosternError } from '../errors.js';
import { defaultLimits, type Admission, type Outcome, type SessionHost, type SessionLimits } from '../host/index.js';
import type { Denial, Identity } from '../identity.js';
import type { AccessOf, AnyProtocol, AskOf, Authorization, ConfigOf, Endpoint, SpecOf } from '../protocol.js';
import type { Logger, Resource } from '../session.js';
import { DialledStream } from './dialled-stream.js';
import { fakeCredentials } from './fake-credentials.js';
import { fakeIdentity } from './fake-identity.js';
import { FakeRecording } from './fake-recording.js';
import { dialTcp } from './loopback.js';

export interface FakeHostOptions<P extends AnyProtocol> {
  readonly protocol: P;
  /** The resource's `spec`, as an operator writes it. */
  readonly spec: unknown;
  readonly labels?: Readonly<Record<string, string>>;
  readonly config?: unknown;
  /** What the client agreed on in ALPN. */
  readonly alpn?: string;
  /** What the only role allows and denies, as an operator writes it. Nothing by default. */
  readonly allow?: unknown;
  readonly deny?: unknown;
  /** `null` for a client that proved nothing. */
  readonly identity?: Identity | null;
  readonly credentials?: Partial<Credentials>;
  readonly server?: ServerCredentials;
  readonly limits?: Partial<SessionLimits>;
  /** Opens connections; by TCP unless told otherwise. */
  readonly dial?: (endpoint: Endpoint) => Promise<Duplex>;
  readonly verify?: SessionHost<P>['verify'];
  /** Runs where an event of the protocol would be stored: throws, rejects or waits as the audit log would. */
  readonly store?: (event: FakeEvent) => Hold;
}

/** An event as it would be stored: of the protocol, or `session.start`, `session.denied`, `session.end`. */
export interface FakeEvent {
  readonly type: string;
  readonly fields: Readonly<Record<string, unknown>>;
}

/** A line of the operator's log. */
export interface FakeLogLine {
  readonly level: keyof Logger;
  readonly message: string;
  readonly fields: object | undefined;
}

/** A {@link SessionHost} that keeps everything in memory and decides by one role. */
export class FakeHost<P extends AnyProtocol> implements SessionHost<P> {
  readonly id = 'session-1';
  readonly cluster = 'cluster.test';
  readonly connection = 4711;
  readonly source = '192.0.2.7';
  /** What a test changes after it changed what is decided. */
  revision = 1;
  readonly protocol: P;
  readonly resource: Resource<P>;
  readonly config: ConfigOf<P>;
  readonly alpn: string | undefined;
  readonly identity: Identity | undefined;
  readonly server: ServerCredentials;
  readonly limits: SessionLimits;
  readonly log: Logger;

  /** Everything that happened, in its order. */
  readonly events: FakeEvent[] = [];
  readonly logs: FakeLogLine[] = [];
  readonly recordings: FakeRecording[] = [];
  readonly dialled: DialledStream[] = [];
  /** Every ask that was decided, the opening one first. */
  readonly asks: AskOf<P>[] = [];
  /** Every secret that was handed to the session. */
  readonly secrets = new Set<string>();

  readonly #stop = new AbortController();
  readonly #cut = new AbortController();
  readonly #allow: AccessOf<P>;
  readonly #deny: AccessOf<P> | undefined;

  constructor(private readonly options: FakeHostOptions<P>) {
    const { protocol } = options;
    const { resource, access } = protocol.auth as Authorization<z.ZodType, z.ZodType, z.ZodType>;
    this.protocol = protocol;
    this.alpn = options.alpn;
    this.resource = {
      name: 'resource-1',
      labels: options.labels ?? {},
      spec: resource.parse(options.spec) as SpecOf<P>,
    };
    this.config = protocol.config.parse(options.config ?? {}) as ConfigOf<P>;
    this.#allow = access.parse(options.allow ?? {}) as AccessOf<P>;
    this.#deny = options.deny === undefined ? undefined : (access.parse(options.deny) as AccessOf<P>);
    this.identity = options.identity === null ? undefined : (options.identity ?? this.#defaultIdentity());
    this.server = options.server ?? {
      openSsh: () => Promise.reject(new PosternError('internal', 'no server key here')),
    };
    this.limits = { ...defaultLimits, ...options.limits };
    const level =
      (name: keyof Logger) =>
      (message: string, fields?: object): void =>
        void this.logs.push({ level: name, message, fields });
    this.log = { debug: level('debug'), info: level('info'), warn: level('warn'), error: level('error') };
  }

  get signal(): AbortSignal {
    return this.#stop.signal;
  }

  /** Ends a running session, as a lock does. */
  cut(denial: Denial): void {
    this.#cut.abort(denial);
  }

  /** Ends the process, as far as this session knows. */
  stop(denial: Denial): void {
    this.#stop.abort(denial);
  }

  /** Everything that was written to the resource, connection after connection. */
  forwarded(): Buffer {
    return Buffer.concat(this.dialled.flatMap(({ sent }) => sent));
  }

  async verify(credential: { readonly kind: 'openssh-certificate'; readonly blob: Buffer }): Promise<Identity> {
    if (!this.options.verify) throw new PosternError('unauthenticated', 'no certificate is trusted here');
    return this.options.verify(credential);
  }

  async admit(identity: Identity | undefined, ask: AskOf<P>): Promise<Admission> {
    const denial: Denial | undefined = identity
      ? await this.#judge(ask)
      : { code: 'unauthenticated', message: 'a certificate is needed' };
    if (denial) {
      this.events.push({ type: 'session.denied', fields: { code: denial.code, ask } });
      return { allowed: false, denial };
    }
    this.events.push({ type: 'session.start', fields: { user: identity?.user, ask } });
    return { allowed: true, signal: this.#cut.signal };
  }

  async decide(_identity: Identity, ask: AskOf<P>): Promise<Denial | undefined> {
    const denial = await this.#judge(ask);
    if (denial) this.events.push({ type: 'session.denied', fields: { code: denial.code, ask } });
    return denial;
  }

  async refused(denial: Denial): Promise<void> {
    this.events.push({ type: 'session.denied', fields: { code: denial.code } });
  }

  credentials(): Credentials {
    return fakeCredentials(this.options.credentials ?? {}, (secret) => this.secrets.add(secret));
  }

  async dial(endpoint: Endpoint): Promise<Duplex> {
    const stream = await (this.options.dial ?? dialTcp)(endpoint);
    const dialled = new DialledStream(endpoint, stream);
    this.dialled.push(dialled);
    return dialled.stream;
  }

  emit(type: string, fields: Readonly<Record<string, unknown>>): Hold {
    const event = { type, fields: this.#loggable(type, fields) };
    const hold = this.options.store?.(event);
    if (hold instanceof Promise) return hold.then(() => void this.events.push(event));
    this.events.push(event);
  }

  async record(kind: string, header: Readonly<Record<string, unknown>>): Promise<FakeRecording> {
    const recording = new FakeRecording(kind, header);
    this.recordings.push(recording);
    return recording;
  }

  async end(outcome: Outcome): Promise<void> {
    this.events.push({ type: 'session.end', fields: { outcome: outcome.kind } });
  }

  /** A decision always takes a moment, so that nobody comes to rely on its speed. */
  async #judge(ask: AskOf<P>): Promise<Denial | undefined> {
    this.asks.push(ask);
    await new Promise<void>((resolve) => setImmediate(resolve));
    const { auth } = this.protocol;
    const allowed = auth.permits(this.#allow, ask) && !(this.#deny !== undefined && auth.forbids(this.#deny, ask));
    return allowed ? undefined : { code: 'access_denied', message: 'access denied' };
  }

  #loggable(type: string, fields: Readonly<Record<string, unknown>>): Record<string, unknown> {
    const catalog: EventCatalog = this.protocol.audit;
    const declared = catalog[type.slice(this.protocol.id.length + 1)];
    if (!declared) throw new PosternError('internal', `nobody declares the event ${type}`);
    return redact(declared, declared.fields.parse(fields));
  }

  #defaultIdentity(): Identity | undefined {
    if (this.protocol.transport.kind === 'native') return undefined;
    const names = this.protocol.auth.principals?.(this.#allow) ?? [];
    return fakeIdentity({ principals: { [this.protocol.id]: names } });
  }
}

/** A {@link SessionHost} in memory, for a plugin's own tests: pass it to `startSession`, or let the kit do so. */
export const fakeHost = <P extends AnyProtocol>(options: FakeHostOptions<P>): FakeHost<P> => new FakeHost(options);
