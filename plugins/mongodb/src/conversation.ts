import { relay, write, type ClientLink, type Grant, type Recording, type SessionContext } from '@postern/plugin-sdk';
import { ClientTap } from './client-tap.js';
import type { SessionCursors } from './cursors.js';
import { Journal } from './journal.js';
import { Pending } from './pending.js';
import type { Mongodb } from './protocol.js';
import { ReplyTap } from './reply-tap.js';
import type { Upstream } from './upstream.js';
import type { Asker } from './wire.js';

export interface ConversationOptions {
  readonly client: ClientLink;
  readonly cursors: SessionCursors;
  readonly grant: Grant<Mongodb>;
  readonly upstream: Upstream;
  readonly user: string;
  readonly early: Buffer;
}

/** What a client and a server say to each other once the agent has logged in. */
export class Conversation {
  readonly #pending: Pending;
  readonly #journal: Journal;
  readonly #commands: ClientTap;
  readonly #replies: ReplyTap;

  private constructor(
    private readonly context: SessionContext<Mongodb>,
    private readonly options: ConversationOptions,
    recording: Recording,
  ) {
    const { client, cursors, grant, user } = options;
    const { max_cursors: maxCursors, max_message_bytes: maxMessageBytes } = context.config;
    const pending = new Pending((answer) => write(client.stream, answer));
    const journal = new Journal({
      audit: context.audit,
      recording,
      maxStatementBytes: context.config.max_statement_bytes,
    });
    this.#pending = pending;
    this.#journal = journal;
    this.#commands = new ClientTap({ grant, user, journal, pending, cursors, maxMessageBytes });
    this.#replies = new ReplyTap({ grant, pending, journal, cursors, maxCursors, maxMessageBytes });
  }

  /** Begins the recording, before anything is said. */
  static async begin(context: SessionContext<Mongodb>, options: ConversationOptions): Promise<Conversation> {
    const recording = await context.record('commands', { user: options.user });
    return new Conversation(context, options, recording);
  }

  /** Who is owed an answer, where one may be said now: not within another. */
  get waiting(): Asker | undefined {
    if (!this.#replies.between) return undefined;
    const head = this.#pending.head;
    return head ? { ...head, requestId: head.expects } : this.#commands.deciding;
  }

  /** Until both have left. */
  async run(): Promise<void> {
    const { client, upstream, early } = this.options;
    const { stream } = upstream.dialogue;
    try {
      await relay(client.stream, stream, {
        fromClient: this.#commands.tap,
        fromUpstream: this.#replies.tap,
        head: { client: early, upstream: Buffer.from(upstream.dialogue.release()) },
        signal: this.context.signal,
      });
    } finally {
      for (const command of this.#pending.unanswered) await this.#journal.unanswered(command);
    }
  }
}
