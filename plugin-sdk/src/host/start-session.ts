import type { Duplex } from 'node:stream';
import { PosternError } from '../errors.js';
import type { Denial, Identity } from '../identity.js';
import type { AgentModule } from '../plugin.js';
import type { AnyProtocol, AskOf } from '../protocol.js';
import { Scope, token } from '../scope.js';
import { SessionContext, type Session } from '../session.js';
import { HostedLink } from './client-link.js';
import { aborted, within } from './deadline.js';
import { denialFrom, denialOf } from './denial.js';
import { HostedContext } from './hosted-context.js';
import { HostedGrant, parseAsk } from './hosted-grant.js';
import { sayGoodbye } from './goodbye.js';
import type { Admission, Outcome, SessionHost } from './session-host.js';

const SessionToken = token<Session<any>>('Session');

/** A session that runs. */
export interface RunningSession {
  /** Never rejects. When it resolves, both streams are closed and the end is recorded. */
  readonly done: Promise<Outcome>;
  /** Hands the session a message that came on another connection. */
  signal(payload: Buffer): Promise<void>;
}

/**
 * Runs one session from its first byte to its last. The same code runs in an
 * agent and in the conformance kit. `plugin` is the plugin's scope.
 */
export function startSession<P extends AnyProtocol>(
  host: SessionHost<P>,
  agent: AgentModule<P>,
  client: Duplex,
  plugin: Scope = Scope.root(),
): RunningSession {
  // The kernel owns the client's stream: an error on it, at any time, must never be an uncaught one.
  client.on('error', (cause) => host.log.debug('client connection failed', { cause: cause.message }));
  const run = new SessionRun(host, client);
  const scope = plugin.child().value(SessionContext, run.context).perScope(SessionToken, agent.Session);
  let session: Session<P> | undefined;
  const done = run
    .run(() => (session = scope.get(SessionToken) as Session<P>))
    .then(async (outcome) => {
      await scope[Symbol.asyncDispose]().catch((cause: unknown) => {
        host.log.error('a session was not disposed of', { cause: PosternError.from(cause).message });
      });
      return outcome;
    });
  return { done, signal: async (payload) => session?.signal?.(payload) };
}

class SessionRun<P extends AnyProtocol> {
  readonly context: HostedContext<P>;
  readonly #stop = new AbortController();
  readonly #opened = new Set<Duplex>();
  readonly #link: HostedLink;
  /** True once there is a recorded start, which must get its end whatever happens. */
  #started = false;

  constructor(
    private readonly host: SessionHost<P>,
    private readonly client: Duplex,
  ) {
    this.context = new HostedContext(host, this.#stop);
    this.#link = new HostedLink(host, client);
    this.#follow(host.signal);
  }

  async run(make: () => Session<P>): Promise<Outcome> {
    const outcome = await this.#converse(make).catch((cause: unknown): Outcome => {
      this.host.log.error('session broke', { cause: PosternError.from(cause).message });
      return { kind: 'failed', error: PosternError.from(cause) };
    });
    if (outcome.kind === 'failed') this.host.log.warn('session failed', { cause: outcome.error.message });
    // The effects stop first, so that nothing happens behind a recorded end.
    this.context.over();
    this.#stop.abort();
    for (const stream of this.#opened) stream.destroy();
    await sayGoodbye(this.client, this.host.limits.graceMs);
    await this.context.closeRecordings();
    if (this.#started) await this.#end(outcome);
    return outcome;
  }

  async #converse(make: () => Session<P>): Promise<Outcome> {
    const session = make();
    let ask: AskOf<P>;
    try {
      ask = await this.#open(session);
    } catch (cause) {
      return this.#turnAway(session, cause);
    }
    // Whoever was admitted is served: what the plugin verifies later changes nothing.
    const identity = this.#link.identity;
    const admission = await this.#admit(identity, ask);
    if (!admission.allowed) return this.#refuse(session, admission.denial);
    this.#started = true;
    this.#follow(admission.signal);
    this.context.admitted();
    if (this.client.destroyed) return { kind: 'ended' };
    if (this.#stop.signal.aborted) return this.#cut(session);
    return this.#serve(session, identity, ask);
  }

  async #open(session: Session<P>): Promise<AskOf<P>> {
    this.#stop.signal.throwIfAborted();
    const said = await within(
      call(() => session.open(this.#link)),
      this.host.limits.openMs,
      this.#stop.signal,
    );
    return parseAsk(this.host.protocol, said);
  }

  async #turnAway(session: Session<P>, cause: unknown): Promise<Outcome> {
    this.host.log.debug('opening refused', { cause: PosternError.from(cause).message });
    const stopped = this.#stop.signal.aborted;
    if (!stopped && this.#hungUp(cause)) return { kind: 'ended' };
    const denial = stopped ? denialFrom(this.#stop.signal.reason) : denialOf(cause);
    const { code } = stopped ? denial : PosternError.from(cause);
    await this.host.refused(denial, code).catch((lost: unknown) => {
      this.host.log.error('a refusal could not be recorded', { cause: PosternError.from(lost).message });
    });
    return this.#refuse(session, denial);
  }

  async #admit(identity: Identity | undefined, ask: AskOf<P>): Promise<Admission> {
    try {
      return await this.host.admit(identity, ask);
    } catch (cause) {
      this.host.log.warn('a session could not be decided', { cause: PosternError.from(cause).message });
      return { allowed: false, denial: denialOf(cause) };
    }
  }

  async #serve(session: Session<P>, identity: Identity | undefined, ask: AskOf<P>): Promise<Outcome> {
    const cut = aborted(this.#stop.signal);
    const serving = call(() => {
      if (!identity) throw new PosternError('internal', 'admitted without an identity');
      return session.serve(this.#link, new HostedGrant(this.host, { identity, ask }, this.#opened, this.#stop.signal));
    });
    try {
      await Promise.race([serving, cut.promise]);
      return { kind: 'ended' };
    } catch (cause) {
      if (!this.#stop.signal.aborted) return await this.#explain(session, cause);
      await within(serving, this.host.limits.graceMs).catch(() => {});
      return await this.#cut(session);
    } finally {
      cut.release();
    }
  }

  /** What a failure of `serve` means, told to the client where that can be done. */
  async #explain(session: Session<P>, cause: unknown): Promise<Outcome> {
    if (this.#hungUp(cause)) return { kind: 'ended' };
    const denial = denialOf(cause);
    await this.#refuse(session, denial);
    if (denial.code !== 'internal' && denial.code !== 'unavailable') return { kind: 'refused', denial };
    return { kind: 'failed', error: PosternError.from(cause) };
  }

  /** True where an error says no more than that the client went away, perhaps in the middle of a sentence. */
  #hungUp(cause: unknown): boolean {
    if (!PosternError.is(cause)) return this.client.destroyed;
    const brokenOff = cause.code === 'aborted' || cause.code === 'protocol_violation';
    return brokenOff && (this.client.destroyed || this.client.readableEnded);
  }

  async #cut(session: Session<P>): Promise<Outcome> {
    const denial = denialFrom(this.#stop.signal.reason);
    await this.#refuse(session, denial);
    return { kind: 'cut', denial };
  }

  async #refuse(session: Session<P>, denial: Denial): Promise<Outcome> {
    if (!this.client.destroyed && this.client.writable)
      await within(
        call(() => session.refuse(this.#link, denial)),
        this.host.limits.graceMs,
      ).catch((cause: unknown) =>
        this.host.log.debug('the refusal could not be said', { cause: PosternError.from(cause).message }),
      );
    return { kind: 'refused', denial };
  }

  async #end(outcome: Outcome): Promise<void> {
    try {
      await this.host.end(outcome);
    } catch (cause) {
      this.host.log.error('the end of a session could not be recorded', { cause: PosternError.from(cause).message });
    }
  }

  #follow(signal: AbortSignal): void {
    const stop = (): void => this.#stop.abort(signal.reason);
    if (signal.aborted) return stop();
    signal.addEventListener('abort', stop, { once: true });
    this.#stop.signal.addEventListener('abort', () => signal.removeEventListener('abort', stop), { once: true });
  }
}

/** Calls a plugin, which may throw or answer without a promise where the contract asks for one. */
async function call<T>(method: () => Promise<T>): Promise<T> {
  return method();
}
