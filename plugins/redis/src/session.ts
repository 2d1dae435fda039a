import {
  inject,
  injectable,
  PosternError,
  relay,
  SessionContext,
  write,
  type ClientLink,
  type Denial,
  type Grant,
  type Session,
} from '@postern/plugin-sdk';
import { ClientTap } from './client-tap.js';
import { wantedUser } from './opening.js';
import type { Redis, RedisAsk } from './protocol.js';
import { ReplyReader } from './reply-reader.js';
import { Substitutes } from './substitutes.js';
import { openUpstream } from './upstream.js';
import { errorReply } from './wire.js';

/** By what Redis says it; everything else is an ERR. */
const errorCodes: Readonly<Partial<Record<Denial['code'], string>>> = {
  unauthenticated: 'NOAUTH',
  access_denied: 'NOPERM',
  locked: 'NOPERM',
  expired: 'NOPERM',
  mfa_required: 'NOAUTH',
};

/**
 * One client's session: learns from its first command whom it wants to be, logs
 * in for it, and relays what both say while taps follow it.
 */
@injectable()
export class RedisSession implements Session<Redis> {
  /** The first command, which is answered in its turn. */
  #early: Buffer = Buffer.alloc(0);
  readonly #replies = new ReplyReader();
  /** Our last words, where they are not those of a denial. */
  #lastWords: Buffer | undefined;

  constructor(@inject(SessionContext) private readonly context: SessionContext<Redis>) {}

  /** Servers say nothing before they are asked, so neither do we. */
  async open(client: ClientLink): Promise<RedisAsk> {
    return this.#remembering(async () => {
      const { read, user } = await wantedUser(client.stream);
      this.#early = read;
      return { user: user ?? this.context.resource.spec.user };
    });
  }

  async serve(client: ClientLink, grant: Grant<Redis>): Promise<void> {
    await this.#remembering(() => this.#serve(client, grant));
  }

  /** A word of ours may only stand between two replies; within one the client just sees the end. */
  async refuse(client: ClientLink, { code, message }: Denial): Promise<void> {
    if (!this.#replies.between) return;
    const own = this.context.signal.aborted ? undefined : this.#lastWords;
    await write(client.stream, own ?? errorReply(errorCodes[code] ?? 'ERR', message));
  }

  /** What broke is told as Redis would tell it. */
  async #remembering<T>(work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (cause) {
      if (PosternError.is(cause)) this.#lastWords = errorReply('ERR', cause.publicMessage);
      throw cause;
    }
  }

  async #serve(client: ClientLink, grant: Grant<Redis>): Promise<void> {
    const { config, resource, signal, audit } = this.context;
    const { user } = grant.ask;
    const recording = await this.context.record('commands', { user });
    const timeoutMs = config.login_timeout_seconds * 1000;
    const { stream, tlsVersion } = await openUpstream({ grant, spec: resource.spec, timeoutMs, signal });
    await audit.emit('login', { user, method: resource.spec.auth.method, tls: tlsVersion });
    const substitutes = new Substitutes();
    const commands = new ClientTap({ context: this.context, grant, recording, substitutes });
    await relay(client.stream, stream, {
      fromClient: commands.tap,
      fromUpstream: (chunk) => {
        this.#replies.read(chunk);
        return substitutes.filter(chunk);
      },
      head: { client: this.#early },
      signal,
    });
  }
}
