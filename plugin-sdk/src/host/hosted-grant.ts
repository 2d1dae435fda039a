import type { Duplex } from 'node:stream';
import type { Hold } from '../audit.js';
import type { Credentials } from '../credentials.js';
import { PosternError } from '../errors.js';
import type { Identity } from '../identity.js';
import type { AnyProtocol, AskOf, Endpoint } from '../protocol.js';
import type { Grant } from '../session.js';
import { CheckedAsks } from './checked-asks.js';
import type { SessionHost } from './session-host.js';

/** Who was granted what. */
interface Granted<P extends AnyProtocol> {
  readonly identity: Identity;
  readonly ask: AskOf<P>;
}

/** One authorized ask. `opened` collects what it dials, so that nothing outlives the session. */
export class HostedGrant<P extends AnyProtocol> implements Grant<P> {
  readonly identity: Identity;
  readonly ask: AskOf<P>;
  readonly credentials: Credentials;
  readonly #checked = new CheckedAsks();

  constructor(
    private readonly host: SessionHost<P>,
    granted: Granted<P>,
    private readonly opened: Set<Duplex>,
    private readonly signal: AbortSignal,
  ) {
    this.identity = granted.identity;
    this.ask = granted.ask;
    this.credentials = host.credentials(granted.identity, granted.ask);
  }

  async dial(endpoint?: Endpoint): Promise<Duplex> {
    this.#mustBeRunning();
    const named: readonly Endpoint[] = this.host.protocol.auth.endpoints(this.host.resource.spec, this.ask);
    const wanted = endpoint ?? named[0];
    const target = named.find(({ host, port }) => host === wanted?.host && port === wanted.port);
    if (!target) throw new PosternError('access_denied', 'the declaration names no such endpoint for this ask');
    const stream = await this.host.dial(target);
    stream.on('error', (cause) => this.host.log.debug('upstream connection failed', { cause: cause.message }));
    if (this.signal.aborted) stream.destroy();
    this.#mustBeRunning();
    stream.once('close', () => this.opened.delete(stream));
    this.opened.add(stream);
    return stream;
  }

  async require(ask: AskOf<P>): Promise<Grant<P>> {
    this.#mustBeRunning();
    const parsed = parseAsk(this.host.protocol, ask);
    const denial = await this.host.decide(this.identity, parsed);
    if (denial) throw new PosternError(denial.code, denial.message, { publicMessage: denial.message });
    return new HostedGrant(this.host, { identity: this.identity, ask: parsed }, this.opened, this.signal);
  }

  check(ask: AskOf<P>): Hold {
    this.#mustBeRunning();
    const { revision } = this.host;
    const key = JSON.stringify(ask);
    if (!this.#checked.has(key, revision)) return this.require(ask).then(() => this.#checked.add(key, revision));
  }

  /** A plugin that ignored the end of its session reaches nothing any more. */
  #mustBeRunning(): void {
    if (this.signal.aborted) throw new PosternError('aborted', 'the session is over');
  }
}

/**
 * An ask as the declaration describes it. What does not fit came from a client
 * that asked for nonsense, and is told what the declaration says about it.
 */
export function parseAsk<P extends AnyProtocol>(protocol: P, said: unknown): AskOf<P> {
  const parsed = protocol.auth.ask.safeParse(said);
  if (parsed.success) return parsed.data as AskOf<P>;
  const issues = parsed.error.issues.slice(0, 3).map(({ path, message }) => `${path.join('.')}: ${message}`);
  throw new PosternError('invalid_argument', `not an ask of ${protocol.id}: ${parsed.error.message}`, {
    publicMessage: issues.join('; '),
  });
}
