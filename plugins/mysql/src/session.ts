import {
  FrameReader,
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
import { Conversation } from './conversation.js';
import { denialError } from './denial-error.js';
import { capability } from './capabilities.js';
import { encodeGreeting, isSslRequest, parseResponse, type Greeting, type HandshakeResponse } from './handshake.js';
import { greetingFor, LearnedGreetingsToken, usualGreeting, type LearnedGreetings } from './learned-greetings.js';
import { maxLoginBytes } from './login.js';
import type { Mysql, MysqlAsk } from './protocol.js';
import { UpstreamRefusal } from './upstream-refusal.js';
import { openUpstream, type Upstream } from './upstream.js';
import { encodePacket, errorPayload, okPayload, readPacket } from './wire.js';

/** AuthMoreData of `caching_sha2_password`: no more is wanted. */
const proofAccepted = Buffer.from([1, 3]);

/**
 * One client's session: greets it, logs in at the database on its behalf, and
 * relays what both say while taps follow it.
 */
@injectable()
export class MysqlSession implements Session<Mysql> {
  #response: HandshakeResponse | undefined;
  /** What the client was told that the server can do. */
  #offered: Pick<Greeting, 'capabilities' | 'mariadb'> = usualGreeting;
  /** Of the next packet to the client, during its login. */
  #sequence = 0;
  #conversation: Conversation | undefined;
  #early: Buffer = Buffer.alloc(0);
  /** The database's own no. */
  #refusal: UpstreamRefusal | undefined;
  #broken: PosternError | undefined;

  constructor(
    @inject(SessionContext) private readonly context: SessionContext<Mysql>,
    @inject(LearnedGreetingsToken) private readonly greetings: LearnedGreetings,
  ) {}

  async open(client: ClientLink): Promise<MysqlAsk> {
    const { name, spec } = this.context.resource;
    // Whoever names no protocol was greeted on a port of the proxy, before TLS.
    if (client.alpn !== undefined) {
      const greeting = greetingFor(this.greetings.offer(name, spec.local_files), client.connection);
      this.#offered = greeting;
      await write(client.stream, encodePacket(0, encodeGreeting(greeting)));
      this.#sequence = 1;
    } else this.#sequence = 2;
    const reader = new FrameReader(client.stream, maxLoginBytes);
    try {
      const { payload, sequence } = await readPacket(reader);
      this.#sequence = sequence + 1;
      if (isSslRequest(payload))
        throw PosternError.public(
          'protocol_violation',
          'this connection is encrypted already; switch TLS off (--skip-ssl)',
        );
      this.#response = this.#accept(parseResponse(payload));
    } finally {
      this.#early = Buffer.from(reader.release());
    }
    const { user, database } = this.#response;
    return { user, replication: false, ...(database !== undefined && { database }) };
  }

  /** Some clients claim what they were not offered, and mean nothing by it. A schema goes on by itself. */
  #accept(response: HandshakeResponse): HandshakeResponse {
    const { capabilities, mariadb } = this.#offered;
    return {
      ...response,
      capabilities: (response.capabilities & capabilities & ~capability.connectWithDatabase) >>> 0,
      mariadb: (response.mariadb & mariadb) >>> 0,
    };
  }

  async serve(client: ClientLink, grant: Grant<Mysql>): Promise<void> {
    try {
      const response = this.#response;
      if (!response) throw new PosternError('internal', 'served without having been opened');
      const { config, resource, signal } = this.context;
      const upstream = await openUpstream(
        {
          grant,
          spec: resource.spec,
          timeoutMs: config.login_timeout_seconds * 1000,
          signal,
          greeted: (greeting) => this.greetings.learn(resource.name, greeting),
        },
        response,
      );
      await this.#run(client, grant, upstream);
    } catch (cause) {
      if (cause instanceof UpstreamRefusal) this.#refusal = cause;
      else if (PosternError.is(cause)) this.#broken = cause;
      throw cause;
    }
  }

  async refuse(client: ClientLink, denial: Denial): Promise<void> {
    const conversation = this.#conversation;
    const sequence = conversation ? conversation.lastWord : this.#sequence;
    if (sequence === undefined) return;
    const aborted = this.context.signal.aborted;
    if (!aborted && this.#refusal) return write(client.stream, this.#refusal.packet(sequence));
    const own = aborted ? undefined : this.#broken?.publicMessage;
    const error = denialError(own === undefined ? denial : { ...denial, message: own }, conversation !== undefined);
    await write(client.stream, encodePacket(sequence, errorPayload(error)));
  }

  async #run(client: ClientLink, grant: Grant<Mysql>, upstream: Upstream): Promise<void> {
    const { user, database } = grant.ask;
    const { signal, audit } = this.context;
    const recording = await this.context.record('queries', { user, ...(database !== undefined && { database }) });
    await audit.emit('login', {
      user,
      ...(database !== undefined && { database }),
      method: upstream.method,
      tls: upstream.tlsVersion,
      serverVersion: upstream.greeting.version,
    });
    const conversation = new Conversation({
      context: this.context,
      grant,
      recording,
      upstream,
      reply: (packet) => write(client.stream, packet),
    });
    await write(client.stream, this.#welcome(upstream));
    this.#conversation = conversation;
    try {
      await relay(client.stream, upstream.stream, {
        fromClient: conversation.fromClient,
        fromUpstream: conversation.fromUpstream,
        head: { client: this.#early, upstream: upstream.rest },
        signal,
      });
    } finally {
      await conversation.finish();
    }
  }

  /** Whatever the client has proved: its certificate has proved more. */
  #welcome({ ok }: Upstream): Buffer {
    const { method, proof } = this.#response ?? {};
    const more = method === 'caching_sha2_password' && (proof?.length ?? 0) > 1;
    const packets = more ? [proofAccepted, ok] : [ok.length > 0 ? ok : okPayload];
    return Buffer.concat(packets.map((payload, index) => encodePacket(this.#sequence + index, payload)));
  }
}
