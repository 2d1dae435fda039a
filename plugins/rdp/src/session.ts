import {
  inject,
  injectable,
  PosternError,
  relay,
  SessionContext,
  webAlpn,
  write,
  type ClientLink,
  type Denial,
  type Grant,
  type Recording,
  type Session,
} from '@postern/plugin-sdk';
import { chooseAccount } from './account.js';
import type { Account } from './client-info.js';
import { Conversation } from './conversation.js';
import { errorInfoFor, lastWords, turnAway } from './farewell.js';
import { FromClient } from './from-client.js';
import { FromDesktop } from './from-desktop.js';
import { InnerTlsToken, type InnerTls } from './inner-tls.js';
import { openNative, type ClientOpening } from './opening.js';
import { pduTap } from './pdu-tap.js';
import type { Rdp, RdpAsk, RdpSpec, Use } from './protocol.js';
import { openUpstream, type Upstream } from './upstream.js';
import { openWeb } from './web-opening.js';

type Relaying = { readonly conversation: Conversation; readonly opening: ClientOpening };

/**
 * One client's session at a desktop: reads whom the client wants to become,
 * logs in at the desktop with the agent's own secret, and relays PDUs while
 * rewriting the few that matter.
 */
@injectable()
export class RdpSession implements Session<Rdp> {
  #opening: ClientOpening | undefined;
  #account: RdpSpec['accounts'][number] | undefined;
  #relaying: Relaying | undefined;

  constructor(
    @inject(SessionContext) private readonly context: SessionContext<Rdp>,
    @inject(InnerTlsToken) private readonly inner: InnerTls,
  ) {}

  async open(client: ClientLink): Promise<RdpAsk> {
    const { spec, name } = this.context.resource;
    const native = () =>
      openNative(client, this.inner, (stream, initial, code, protocols) =>
        turnAway(stream, { initial, protocols }, code),
      );
    const web = () => openWeb(client.stream, name, this.inner.certificate.der);
    this.#opening = await (client.alpn === webAlpn ? web() : native());
    this.#account = chooseAccount(spec, this.#opening.wish, client.identity);
    return { login: this.#account.login };
  }

  async serve(_client: ClientLink, grant: Grant<Rdp>): Promise<void> {
    const opening = this.#opening;
    if (!opening || !this.#account) throw new PosternError('internal', 'served before it was opened');
    const { signal, config, resource } = this.context;
    const { login, domain, secret } = this.#account;
    const account = { user: login, domain, password: await grant.credentials.secret(secret) };
    const timeoutMs = config.login_timeout_seconds * 1000;
    // The desktop first: a client that hears nothing knows less than one that is refused.
    const upstream = await openUpstream({ spec: resource.spec, dial: () => grant.dial(), timeoutMs, signal }, account);
    try {
      const recording = await this.#record(opening);
      await this.#logged(opening, upstream);
      await this.#relay(opening, upstream, this.#conversation(opening, { upstream, account, grant, recording }));
    } finally {
      upstream.stream.destroy();
    }
  }

  async refuse(client: ClientLink, denial: Denial): Promise<void> {
    const code = errorInfoFor(denial.code);
    if (this.#relaying) {
      const { opening, conversation } = this.#relaying;
      await write(opening.stream, lastWords(conversation, code));
      return opening.farewell(denial);
    }
    if (this.#opening) return this.#opening.turnAway(code, denial);
    client.stream.end();
  }

  async #record(opening: ClientOpening): Promise<Recording | undefined> {
    if (this.context.resource.spec.recording === 'none') return undefined;
    const { client } = opening;
    return this.context.record('screen', { version: 1, client, login: this.#account?.login });
  }

  async #logged({ client }: ClientOpening, upstream: Upstream): Promise<void> {
    const { security, certificate, tlsVersion: tls } = upstream;
    const login = this.#account?.login ?? '';
    await this.context.audit.emit('login', { login, client, security, tls, certificate });
  }

  #conversation(
    { client, protocols }: ClientOpening,
    parts: { upstream: Upstream; account: Account; grant: Grant<Rdp>; recording: Recording | undefined },
  ): Conversation {
    const { upstream, account, grant, recording } = parts;
    const { login } = grant.ask;
    return new Conversation({
      account,
      requestedProtocols: protocols,
      selectedProtocol: upstream.selectedProtocol,
      client,
      audit: this.context.audit,
      recording,
      recordInput: this.context.resource.spec.record_input,
      allows: (use, channel) => allowed(grant, { login, use, ...(use === 'channel' && { channel }) }),
      toDesktop: (pdu) => write(upstream.stream, pdu),
    });
  }

  async #relay(opening: ClientOpening, upstream: Upstream, conversation: Conversation): Promise<void> {
    this.#relaying = undefined;
    await opening.welcome();
    this.#relaying = { opening, conversation };
    const handshake = this.#deadline(conversation);
    const { initial = Buffer.alloc(0), early } = opening;
    try {
      await relay(opening.stream, upstream.stream, {
        fromClient: pduTap(new FromClient(conversation).handle),
        fromUpstream: pduTap(new FromDesktop(conversation).handle),
        head: { client: Buffer.concat([initial, early]) },
        signal: AbortSignal.any([this.context.signal, handshake.signal]),
      });
    } catch (cause) {
      if (handshake.signal.aborted) throw PosternError.public('timeout', 'the session did not become active in time');
      throw cause;
    } finally {
      clearTimeout(handshake.timer);
    }
  }

  #deadline(conversation: Conversation): { readonly signal: AbortSignal; readonly timer: NodeJS.Timeout } {
    const late = new AbortController();
    const expire = (): void => {
      if (conversation.stage !== 'active') late.abort();
    };
    const timer = setTimeout(expire, this.context.config.handshake_timeout_seconds * 1000).unref();
    return { signal: late.signal, timer };
  }
}

/** Asks for a further use; a denial is no error here, it leaves the use out. */
async function allowed(grant: Grant<Rdp>, ask: RdpAsk & { readonly use: Use }): Promise<boolean> {
  try {
    await grant.check(ask);
    return true;
  } catch (cause) {
    if (PosternError.is(cause) && cause.code === 'access_denied') return false;
    throw cause;
  }
}
