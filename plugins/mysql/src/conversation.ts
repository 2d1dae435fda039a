import { PassThrough } from 'node:stream';
import {
  PosternError,
  type Grant,
  type Hold,
  type SessionContext,
  type Tapped,
  type Recording,
} from '@postern/plugin-sdk';
import { changeUser, parseChangeUser } from './change-user.js';
import { ClientTap } from './client-tap.js';
import { PacketWalker } from './packet-walker.js';
import { PreparedStatements } from './prepared-statements.js';
import type { Mysql } from './protocol.js';
import { ResponseReader } from './response-reader.js';
import { StatementLog } from './statement-log.js';
import type { Upstream } from './upstream.js';
import { encodePacket } from './wire.js';

/** Errors and the heads of results fit in it. */
const keptOfAnswers = 1024;

export interface ConversationOptions {
  readonly context: SessionContext<Mysql>;
  readonly grant: Grant<Mysql>;
  readonly recording: Recording;
  readonly upstream: Upstream;
  /** Tells the client something in the server's place; resolves once the client takes more. */
  reply(packet: Buffer): Promise<void>;
}

/** What client and server say to each other once both are logged in. */
export class Conversation {
  readonly fromClient: ClientTap['tap'];
  readonly #log: StatementLog;
  readonly #responses: ResponseReader;
  readonly #answers = new PacketWalker(keptOfAnswers);
  /** The number of the last packet of the answer that is being given. */
  #sequence = 0;
  #holds: Promise<void>[] = [];
  /** Takes what the server says while the user is changed. */
  #replies: PassThrough | undefined;

  constructor(private readonly options: ConversationOptions) {
    const { context, grant, recording, upstream } = options;
    this.#log = new StatementLog({ audit: context.audit, recording });
    this.#responses = new ResponseReader(upstream.capabilities, {
      result: (result) => this.#hold(this.#log.answered(result)),
      done: () => this.#log.complete(),
      fileWanted: (name) => this.#hold(this.#log.fileSent(name)),
    });
    const client = new ClientTap({
      grant,
      log: this.#log,
      responses: this.#responses,
      statements: new PreparedStatements(),
      maxStatementBytes: context.config.max_statement_bytes,
      reply: (packet) => options.reply(packet),
      changeUser: (payload, sequence) => this.#changeUser(payload, sequence),
    });
    this.fromClient = (chunk) => {
      this.#sequence = 0;
      return client.tap(chunk);
    };
  }

  readonly fromUpstream = (chunk: Buffer): Tapped | Promise<Tapped> => {
    if (this.#replies) {
      this.#replies.write(chunk);
      return Buffer.alloc(0);
    }
    for (let at = 0; ;) {
      const seen = this.#answers.next(chunk, at);
      if (!seen) break;
      at = seen.at;
      this.#sequence = seen.sequence;
      this.#responses.payload(seen.head, seen.length);
    }
    if (this.#holds.length > 0) return Promise.all(this.#holds.splice(0)).then(() => undefined);
  };

  /** The number that a last word to the client must have; `undefined` where it would stand within something else. */
  get lastWord(): number | undefined {
    return this.#answers.idle && !this.#responses.wantsFile ? (this.#sequence + 1) & 0xff : undefined;
  }

  /** Reports what is left without an answer. */
  finish(): Promise<void> {
    return this.#log.finish();
  }

  #hold(hold: Hold): void {
    if (hold instanceof Promise) this.#holds.push(hold);
  }

  async #changeUser(payload: Buffer, sequence: number): Promise<Buffer> {
    const { context, grant, upstream } = this.options;
    const request = parseChangeUser(payload, upstream.capabilities);
    const { user, database } = grant.ask;
    const same = request.ask.user === user && request.ask.database === database;
    const granted = same ? grant : await grant.require(request.ask);
    await this.#log.sent('command', { command: 'change_user', argument: request.ask.user }, false);
    const replies = new PassThrough();
    this.#replies = replies;
    try {
      const ok = await changeUser({ grant: granted, spec: context.resource.spec, upstream, replies }, request);
      return encodePacket(sequence + 1, ok);
    } catch (cause) {
      throw PosternError.is(cause) ? cause : PosternError.from(cause);
    } finally {
      this.#replies = undefined;
    }
  }
}
