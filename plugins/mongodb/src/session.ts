import {
  inject,
  injectable,
  PosternError,
  SessionContext,
  write,
  type ClientLink,
  type Denial,
  type Grant,
  type Session,
} from '@postern/plugin-sdk';
import { isHello } from './command-class.js';
import { loginAnswer } from './client-tap.js';
import { refusalOf } from './command-error.js';
import { Conversation } from './conversation.js';
import { CursorsToken, type Cursors } from './cursors.js';
import type { Dialogue } from './dialogue.js';
import { announcedLogin, clientHello, serverHello } from './hello.js';
import { Introduction, type Wanted } from './introduction.js';
import { mongodb, type Mongodb, type MongodbAsk } from './protocol.js';
import type { Request } from './request.js';
import { openUpstream, type Upstream } from './upstream.js';
import { broken, encodeAnswer } from './wire.js';

/**
 * One client's connection: learns from its greeting whom it wants to be, or
 * later, where it does not say; logs in for it, and relays what both say while
 * taps follow it.
 */
@injectable()
export class MongodbSession implements Session<Mongodb> {
  #introduction: Introduction | undefined;
  #first: Request | undefined;
  #conversation: Conversation | undefined;
  #broken: PosternError | undefined;

  constructor(
    @inject(SessionContext) private readonly context: SessionContext<Mongodb>,
    @inject(CursorsToken) private readonly cursors: Cursors,
  ) {}

  /** Connections by which drivers watch a server say no user, and need none. */
  async open(client: ClientLink): Promise<MongodbAsk> {
    return this.#remembering(async () => {
      this.#introduction = new Introduction(client.stream);
      const first = await this.#introduction.next();
      if (first.kind === 'large' || !isHello(first.request.name)) throw broken('a connection begins with hello');
      this.#first = first.request;
      const { certificate, user } = announcedLogin(first.request);
      const wanted = certificate ? (user ?? this.#usualUser(client)) : undefined;
      return wanted === undefined ? {} : { user: wanted };
    });
  }

  async serve(client: ClientLink, grant: Grant<Mongodb>): Promise<void> {
    const { id } = this.context;
    const cursors = this.cursors.join(id);
    try {
      await this.#remembering(async () => {
        const ready = await this.#introduce(client, grant);
        if (!ready) return;
        const conversation = await Conversation.begin(this.context, { client, cursors, ...ready });
        this.#conversation = conversation;
        await conversation.run();
      });
    } finally {
      this.cursors.leave(id);
    }
  }

  /** An answer to whatever the client waits for. Clients that wait for nothing are told when they come back. */
  async refuse(client: ClientLink, denial: Denial): Promise<void> {
    const asker = this.#conversation ? this.#conversation.waiting : this.#introduction?.waiting;
    if (!asker) return;
    const own = this.context.signal.aborted ? undefined : this.#broken;
    const said = own ? { code: own.code, message: own.publicMessage } : denial;
    await write(client.stream, refusalOf(asker, said));
  }

  /** Whom a client becomes that names nobody. */
  #usualUser({ identity }: ClientLink): string | undefined {
    const names = identity?.principals[mongodb.id] ?? [];
    const { user } = this.context.resource.spec;
    if (user !== undefined) return user;
    return names.length === 1 && !names[0]?.includes('*') ? names[0] : undefined;
  }

  /** What broke is told as a server would tell it. */
  async #remembering<T>(work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (cause) {
      if (PosternError.is(cause)) this.#broken = cause;
      throw cause;
    }
  }

  /** Greets, and answers what needs no user, until there is one. Nothing where the client left before. */
  async #introduce(client: ClientLink, grant: Grant<Mongodb>): Promise<Ready | undefined> {
    const first = this.#first;
    const introduction = this.#introduction;
    if (!first || !introduction) throw new PosternError('internal', 'served without having been opened');
    let upstream = await this.#dial(grant, first);
    await write(client.stream, encodeAnswer(first, this.#greeting(upstream, grant.ask.user, announcedLogin(first))));
    introduction.answered();
    if (grant.ask.user !== undefined) return { grant, upstream, user: grant.ask.user, early: introduction.release() };
    const wish = await this.#wish(client, introduction, upstream);
    upstream.dialogue.stream.destroy();
    if (!wish) return undefined;
    const user = wish.user ?? this.#usualUser(client);
    if (user === undefined)
      throw PosternError.public(
        'invalid_argument',
        'say which user of the database to become: mongodb://USER@…/?authMechanism=MONGODB-X509',
      );
    const granted = await grant.require({ user });
    // A certificate belongs to one user, so that the connection by which the server was looked at cannot be used.
    upstream = await this.#dial(granted, first);
    if (wish.kind === 'login') await write(client.stream, encodeAnswer(wish.asker, loginAnswer(wish.login, user)));
    introduction.answered();
    return { grant: granted, upstream, user, early: Buffer.concat([wish.unread, introduction.release()]) };
  }

  /** Greets a client that nobody is yet as often as it likes, until it wants more. */
  async #wish(client: ClientLink, introduction: Introduction, { dialogue }: Upstream): Promise<Wanted | undefined> {
    for (;;) {
      const next = await introduction.next().catch((cause: unknown) => introduction.leftQuietly(cause));
      if (!next) return undefined;
      const wish = introduction.wish(next);
      if ('unread' in wish) return wish;
      const answer = wish.kind === 'refused' ? wish.answer : await this.#greetAgain(wish.request, dialogue);
      await write(client.stream, answer);
      introduction.answered();
    }
  }

  async #greetAgain(request: Request, dialogue: Dialogue): Promise<Buffer> {
    const hello = serverHello(request);
    if (!hello) throw broken('a greeting is malformed');
    return encodeAnswer(request, clientHello(await dialogue.run(hello), this.#limits));
  }

  async #dial(grant: Grant<Mongodb>, first: Request): Promise<Upstream> {
    const { config, resource, signal, audit } = this.context;
    const hello = serverHello(first);
    if (!hello) throw broken('a greeting is malformed');
    const timeoutMs = config.login_timeout_seconds * 1000;
    const upstream = await openUpstream({ grant, spec: resource.spec, timeoutMs, signal }, hello);
    const { user } = grant.ask;
    if (user !== undefined)
      await audit.emit('login', { user, method: resource.spec.auth.method, tls: upstream.tlsVersion });
    return upstream;
  }

  get #limits() {
    return { maxMessageBytes: this.context.config.max_message_bytes };
  }

  #greeting({ greeting }: Upstream, user: string | undefined, { certificate }: { readonly certificate: boolean }) {
    const login = certificate && user !== undefined && { speculativeAuthenticate: { dbname: '$external', user } };
    return { ...clientHello(greeting, this.#limits), ...login };
  }
}

interface Ready {
  /** Of the user, for whom the upstream is logged in. */
  readonly grant: Grant<Mongodb>;
  readonly upstream: Upstream;
  readonly user: string;
  /** What the client has sent already. */
  readonly early: Buffer;
}
