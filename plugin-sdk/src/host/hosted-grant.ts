import type { Duplex } from 'node:stream';
import type { Credentials } from '../credentials.js';
import { PosternError } from '../errors.js';
import type { Identity } from '../identity.js';
import type { AnyProtocol, AskOf, Endpoint } from '../protocol.js';
import type { Grant } from '../session.js';
import type { SessionHost } from './session-host.js';

/** One authorized ask. `opened` collects what it dials, so that nothing outlives the session. */
export class HostedGrant<P extends AnyProtocol> implements Grant<P> {
  readonly credentials: Credentials;

  constructor(
    private readonly host: SessionHost<P>,
    readonly identity: Identity,
    readonly ask: AskOf<P>,
    private readonly opened: Set<Duplex>,
  ) {
    this.credentials = host.credentials(identity, ask);
  }

  async dial(endpoint?: Endpoint): Promise<Duplex> {
    const named: readonly Endpoint[] = this.host.protocol.auth.endpoints(this.host.resource.spec, this.ask);
    const wanted = endpoint ?? named[0];
    const target = named.find(({ host, port }) => host === wanted?.host && port === wanted.port);
    if (!target) throw new PosternError('access_denied', 'the declaration names no such endpoint for this ask');
    const stream = await this.host.dial(target);
    stream.on('error', (cause) => this.host.log.debug('upstream connection failed', { cause: cause.message }));
    stream.once('close', () => this.opened.delete(stream));
    this.opened.add(stream);
    return stream;
  }

  async require(ask: AskOf<P>): Promise<Grant<P>> {
    const parsed = this.host.protocol.auth.ask.parse(ask) as AskOf<P>;
    const denial = await this.host.decide(this.identity, parsed);
    if (denial) throw refusal(denial.code, denial.message);
    return new HostedGrant(this.host, this.identity, parsed, this.opened);
  }
}

function refusal(code: PosternError['code'], message: string): PosternError {
  return new PosternError(code, message, { publicMessage: message });
}
