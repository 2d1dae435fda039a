import type { Duplex } from 'node:stream';
import { PosternError } from '../errors.js';
import type { Denial } from '../identity.js';
import type { AgentModule } from '../plugin.js';
import type { AnyProtocol, AskOf } from '../protocol.js';
import { Scope, token } from '../scope.js';
import { SessionContext, type Session } from '../session.js';
import { HostedLink } from './client-link.js';
import { aborted, within } from './deadline.js';
import { denialFrom, denialOf } from './denial.js';
import { HostedContext } from './hosted-context.js';
import { HostedGrant } from './hosted-grant.js';
import type { Outcome, SessionHost } from './session-host.js';

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
 * agent and in the conformance kit. `within` is the plugin's scope.
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
  const session = scope.get(SessionToken) as Session<P>;
  const done = run.run(session).finally(() => scope[Symbol.asyncDispose]());
  return { done, signal: async (payload) => session.signal?.(payload) };
}

class SessionRun<P extends AnyProtocol> {
  readonly context: HostedContext<P>;
  readonly #stop = new AbortController();
  readonly #opened = new Set<Duplex>();
  readonly #link: HostedLink;

  constructor(
    private readonly host: SessionHost<P>,
    private readonly client: Duplex,
  ) {
    this.context = new HostedContext(host, this.#stop);
    this.#link = new HostedLink(host, client);
    this.#follow(host.signal);
  }

  async run(session: Session<P>): Promise<Outcome> {
    try {
      const outcome = await this.#converse(session);
      if (outcome.kind === 'failed') this.host.log.warn('session failed', { cause: outcome.error.message });
      return outcome;
    } catch (cause) {
      // Whatever it is, the session is over and its streams are closed below.
      this.host.log.error('session broke', { cause: PosternError.from(cause).message });
      return { kind: 'failed', error: PosternError.from(cause) };
    } finally {
      await finished(this.client, this.host.limits.graceMs);
      for (const stream of this.#opened) stream.destroy();
      this.client.destroy();
      this.#stop.abort();
    }
  }

  async #converse(session: Session<P>): Promise<Outcome> {
    let ask: AskOf<P>;
    try {
      const said = await within(session.open(this.#link), this.host.limits.openMs, this.#stop.signal);
      ask = this.host.protocol.auth.ask.parse(said) as AskOf<P>;
    } catch (cause) {
      const denial = this.#stop.signal.aborted ? denialFrom(this.#stop.signal.reason) : denialOf(cause);
      this.host.log.debug('opening refused', { cause: PosternError.from(cause).message });
      await this.host.refused(denial);
      return this.#refuse(session, denial);
    }
    const admission = await this.host
      .admit(this.#link.identity, ask)
      .catch((cause: unknown) => ({ allowed: false as const, denial: denialOf(cause) }));
    if (!admission.allowed) return this.#refuse(session, admission.denial);
    this.#follow(admission.signal);
    this.context.admitted();
    return this.#end(await this.#serve(session, ask));
  }

  async #serve(session: Session<P>, ask: AskOf<P>): Promise<Outcome> {
    const identity = this.#link.identity;
    if (!identity) return { kind: 'failed', error: new PosternError('internal', 'admitted without an identity') };
    const cut = aborted(this.#stop.signal);
    const serving = session.serve(this.#link, new HostedGrant(this.host, identity, ask, this.#opened));
    try {
      await Promise.race([serving, cut.promise]);
      return { kind: 'ended' };
    } catch (cause) {
      return await this.#explain(session, serving, cause);
    } finally {
      cut.release();
    }
  }

  /** What a failure of `serve` means, told to the client where that can be done. */
  async #explain(session: Session<P>, serving: Promise<void>, cause: unknown): Promise<Outcome> {
    if (this.#stop.signal.aborted) {
      const denial = denialFrom(this.#stop.signal.reason);
      await within(serving, this.host.limits.graceMs).catch(() => {});
      await this.#refuse(session, denial);
      return { kind: 'cut', denial };
    }
    if (PosternError.is(cause) && cause.code === 'aborted') return { kind: 'ended' };
    if (!PosternError.is(cause) && this.client.destroyed) return { kind: 'ended' };
    const denial = denialOf(cause);
    await this.#refuse(session, denial);
    if (denial.code !== 'internal' && denial.code !== 'unavailable') return { kind: 'refused', denial };
    return { kind: 'failed', error: PosternError.from(cause) };
  }

  async #refuse(session: Session<P>, denial: Denial): Promise<Outcome> {
    if (!this.client.destroyed && this.client.writable)
      await within(session.refuse(this.#link, denial), this.host.limits.graceMs).catch((cause: unknown) =>
        this.host.log.debug('the refusal could not be said', { cause: PosternError.from(cause).message }),
      );
    return { kind: 'refused', denial };
  }

  async #end(outcome: Outcome): Promise<Outcome> {
    await this.context.closeRecordings();
    await this.host.end(outcome).catch((cause: unknown) => {
      this.host.log.error('the end of a session could not be recorded', { cause: PosternError.from(cause).message });
    });
    return outcome;
  }

  #follow(signal: AbortSignal): void {
    const stop = (): void => this.#stop.abort(signal.reason);
    if (signal.aborted) return stop();
    signal.addEventListener('abort', stop, { once: true });
    this.#stop.signal.addEventListener('abort', () => signal.removeEventListener('abort', stop), { once: true });
  }
}

/** Lets what was written reach the client before its stream is destroyed. */
async function finished(stream: Duplex, ms: number): Promise<void> {
  if (stream.destroyed || stream.writableFinished) return;
  const flushed = new Promise<void>((resolve) => {
    stream.once('close', resolve);
    stream.end(() => resolve());
  });
  await within(flushed, ms).catch(() => {});
}
