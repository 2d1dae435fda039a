import { randomBytes } from 'node:crypto';
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
import { completeMessage, denialResponse, failureResponse } from './farewell.js';
import { LiveSessionsToken, type LiveSessions } from './live-sessions.js';
import type { Postgres, PostgresAsk } from './protocol.js';
import { RunningSession } from './running-session.js';
import {
  askOf,
  isProtocolOption,
  readFirstMessage,
  firstMessageLength,
  settingsOf,
  type FirstMessage,
} from './startup.js';
import { SessionTap } from './tap.js';
import { openUpstream, type DialOptions, type Upstream } from './upstream.js';
import { authenticationOk, backendKeyData, int32, maxStartupBytes, negotiateProtocolVersion } from './wire.js';

type Startup = Extract<FirstMessage, { kind: 'startup' }>;

/** The newest minor version spoken with clients. From it on, keys for cancelling can be long. */
const newestMinor = 2;

/**
 * One client's session: reads the startup message, logs in at the database on
 * the client's behalf, and relays what both say while a tap follows it.
 */
@injectable()
export class PostgresSession implements Session<Postgres> {
  #startup: Startup = { kind: 'startup', minor: 0, parameters: new Map() };
  /** What the client sent before it got an answer. */
  #early = Buffer.alloc(0);
  #running: RunningSession | undefined;
  /** Our last words, where they are not those of a denial. */
  #lastWords: Buffer | undefined;
  /** False where the client would take our words for something else. */
  #maySpeak = true;

  constructor(
    @inject(SessionContext) private readonly context: SessionContext<Postgres>,
    @inject(LiveSessionsToken) private readonly live: LiveSessions,
  ) {}

  async open(client: ClientLink): Promise<PostgresAsk> {
    const reader = new FrameReader(client.stream, maxStartupBytes);
    try {
      this.#startup = await this.#readStartup(client, reader);
    } finally {
      this.#early = Buffer.from(reader.release());
    }
    return askOf(this.#startup.parameters);
  }

  async serve(client: ClientLink, grant: Grant<Postgres>): Promise<void> {
    const { config, resource, signal } = this.context;
    const dial: DialOptions = {
      grant,
      spec: resource.spec,
      timeoutMs: config.login_timeout_seconds * 1000,
      checkIntervalMs: config.abandoned_statement_seconds * 1000 || undefined,
      signal,
    };
    try {
      const upstream = await openUpstream(dial, this.#startup.parameters);
      await this.#run(client, dial, upstream);
    } catch (cause) {
      this.#lastWords = failureResponse(cause);
      throw cause;
    }
  }

  async refuse(client: ClientLink, denial: Denial): Promise<void> {
    if (!this.#maySpeak) return;
    const own = this.context.signal.aborted ? undefined : this.#lastWords;
    await write(client.stream, own ?? denialResponse(denial, this.#running !== undefined));
  }

  async signal(payload: Buffer): Promise<void> {
    await this.#running?.cancel(payload, 'plain');
  }

  async #readStartup(client: ClientLink, reader: FrameReader): Promise<Startup> {
    for (let asked = 0; asked <= 2; asked += 1) {
      const head = await reader.bytes(4);
      const length = firstMessageLength(head);
      const first = readFirstMessage(Buffer.concat([int32(length), await reader.bytes(length - 4)]));
      if (first.kind === 'startup') return first;
      if (first.kind === 'cancel') return await this.#cancelOther(client, first.connection, first.secret);
      // We are inside TLS already: whoever asks talks to a local forwarder, and needs none.
      await write(client.stream, Buffer.from('N'));
    }
    throw PosternError.public('protocol_violation', 'encryption was asked for too often');
  }

  /** A request to cancel is never answered, in PostgreSQL neither. */
  async #cancelOther(client: ClientLink, connection: number, secret: Buffer): Promise<never> {
    const user = client.identity?.user;
    const target = user === undefined ? undefined : this.live.find(connection, user, this.context.resource.name);
    await target?.cancel(secret, 'tls').catch((cause: unknown) => {
      this.context.log.warn('a request to cancel failed', { cause: PosternError.from(cause).message });
    });
    await new Promise<void>((resolve) => client.stream.once('close', resolve).end(() => resolve()));
    client.stream.destroy();
    throw new PosternError('aborted', 'a request to cancel is all that this connection was for');
  }

  async #run(client: ClientLink, dial: DialOptions, upstream: Upstream): Promise<void> {
    const { user, database } = dial.grant.ask;
    const recording = await this.context.record('queries', { user, database });
    await this.context.audit.emit('login', this.#loginEvent(dial.grant.ask, upstream));
    const key = randomBytes(this.#startup.minor >= 2 ? 32 : 4);
    const running = new RunningSession(this.context, dial, upstream.key && { client: key, server: upstream.key });
    const { config, audit, signal } = this.context;
    const limits = { maxStatementBytes: config.max_statement_bytes, maxParameterBytes: config.max_parameter_bytes };
    const tap = new SessionTap({ audit, recording, limits, signal, encoding: upstream.clientEncoding });
    this.live.add(client.connection, running);
    this.#running = running;
    try {
      await write(client.stream, this.#greeting(client.connection, upstream, key));
      await relay(client.stream, upstream.stream, {
        fromClient: tap.fromClient,
        fromUpstream: tap.fromUpstream,
        head: { client: this.#early, upstream: upstream.rest },
        signal,
      });
    } finally {
      this.live.remove(client.connection, running);
      this.#maySpeak = await completeMessage(upstream.stream, client.stream, tap.owed);
      await tap.finish();
    }
  }

  /** All that the client hears of its login: it was let in, what the server says of itself, and a key of ours. */
  #greeting(connection: number, { messages, key: serverKey, ready }: Upstream, key: Buffer): Buffer {
    const { minor, parameters } = this.#startup;
    const unknown = [...parameters.keys()].filter(isProtocolOption);
    const negotiates = minor > newestMinor || unknown.length > 0;
    return Buffer.concat([
      ...(negotiates ? [negotiateProtocolVersion(Math.min(minor, newestMinor), unknown)] : []),
      authenticationOk,
      messages,
      ...(serverKey ? [backendKeyData(connection, key)] : []),
      ready,
    ]);
  }

  #loginEvent(ask: PostgresAsk, upstream: Upstream) {
    const settings = settingsOf(this.#startup.parameters);
    return {
      ...ask,
      method: upstream.method,
      tls: upstream.tlsVersion,
      ...(upstream.serverVersion !== undefined && { serverVersion: upstream.serverVersion }),
      settings,
    };
  }
}
