import {
  PosternError,
  type Grant,
  type Hold,
  type Recording,
  type SessionContext,
  type Tapped,
} from '@postern/plugin-sdk';
import { classOf } from './command-class.js';
import { CommandReader, tooLong } from './command-reader.js';
import { maskArguments } from './masked-arguments.js';
import type { Redis } from './protocol.js';
import { isRewritten, rewrite } from './rewritten-command.js';
import type { Substitutes } from './substitutes.js';
import { errorReply } from './wire.js';

export interface ClientTapOptions {
  readonly context: Pick<SessionContext<Redis>, 'audit' | 'config'>;
  readonly grant: Grant<Redis>;
  readonly recording: Recording;
  readonly substitutes: Substitutes;
}

/** What is held back is never longer: the name of a command, or one that must be read whole. */
const longestHeld = 4096;

/**
 * Follows what a client sends: each command is decided once its name is there,
 * and reported before its last byte goes on. What is allowed goes on as it came.
 */
export class ClientTap {
  readonly #reader: CommandReader;
  /** What becomes of the command that is being read. */
  #fate: 'undecided' | 'passed' | 'rewritten' | { readonly reply: Buffer } = 'undecided';
  #data: Buffer = Buffer.alloc(0);
  #at = 0;
  /** Where the command that is being read begins in `#data`. */
  #start = 0;
  /** Where that begins in `#data` which has to go on. */
  #from = 0;
  #onward: Buffer[] = [];
  #held = Buffer.alloc(0);
  #sequence = 0;

  constructor(private readonly options: ClientTapOptions) {
    this.#reader = new CommandReader(Math.max(longestHeld, options.context.config.max_argument_bytes));
  }

  readonly tap = (chunk: Buffer): Tapped | Promise<Tapped> => {
    this.#at = this.#held.length;
    this.#data = this.#at === 0 ? chunk : Buffer.concat([this.#held, chunk]);
    this.#start = this.#from = 0;
    this.#onward = [];
    return this.#drain();
  };

  #drain(): Tapped | Promise<Tapped> {
    for (;;) {
      if (this.#reader.idle) {
        this.#start = this.#at;
        this.#fate = 'undecided';
      }
      const step = this.#reader.next(this.#data, this.#at);
      this.#at = step?.at ?? this.#data.length;
      if (!step) return this.#passOn();
      const hold = step.kind === 'named' ? this.#decide() : this.#complete();
      if (hold instanceof Promise) return hold.then(() => this.#drain());
    }
  }

  /** All of the chunk that may go on. What is not decided stays here. */
  #passOn(): Tapped {
    const unfinished = !this.#reader.idle && this.#fate !== 'passed';
    const keeps = unfinished && typeof this.#fate === 'string';
    this.#take(unfinished ? this.#start : this.#data.length);
    this.#held = keeps ? Buffer.from(this.#data.subarray(this.#start)) : Buffer.alloc(0);
    if (this.#held.length > longestHeld) throw tooLong(this.#reader.head.name || 'the name of a command');
    const [only] = this.#onward;
    return this.#onward.length === 1 ? only : Buffer.concat(this.#onward);
  }

  #take(to: number): void {
    if (to > this.#from) this.#onward.push(this.#data.subarray(this.#from, to));
    this.#from = to;
  }

  #decide(): Hold {
    const { name } = this.#reader.head;
    const { user } = this.options.grant.ask;
    if (isRewritten(name)) {
      this.#fate = 'rewritten';
      return;
    }
    const hold = this.options.grant.check({ user, command: name, class: classOf(name) });
    this.#fate = 'passed';
    return hold?.catch((cause: unknown) => {
      this.#fate = { reply: refusalOf(cause) };
    });
  }

  #complete(): Hold {
    const fate = this.#fate;
    if (typeof fate === 'object') return this.#replace(this.options.substitutes.add(fate.reply));
    if (fate === 'rewritten') this.#rewrite();
    return this.#report();
  }

  #rewrite(): void {
    const { head, kept, whole } = this.#reader;
    if (!whole) throw tooLong(head.name);
    const { grant, substitutes } = this.options;
    const rewritten = rewrite(head.name, kept, grant.ask.user);
    this.#replace(rewritten.kind === 'forward' ? rewritten.command : substitutes.add(rewritten.reply));
  }

  /** Sends something else in the place of the command that has just ended. */
  #replace(command: Buffer): void {
    this.#take(this.#start);
    this.#onward.push(command);
    this.#from = this.#at;
  }

  #report(): Hold {
    const { head, kept, bytes } = this.#reader;
    const words = argumentsOf(head.name, kept);
    const shown = shorten(maskArguments(head.name, words), this.options.context.config.max_argument_bytes);
    const argumentCount = head.words - (kept.length - words.length);
    const fields = {
      sequence: (this.#sequence += 1),
      command: head.name,
      class: classOf(head.name),
      arguments: shown.texts,
      argumentCount,
      bytes,
      ...((shown.cut || !this.#reader.whole) && { truncated: true }),
    };
    const held = [this.options.recording.mark('command', fields), this.options.context.audit.emit('command', fields)];
    const waits = held.filter((hold) => hold instanceof Promise);
    if (waits.length > 0) return Promise.all(waits).then(() => undefined);
  }
}

/** The words behind the name, which has two words where there are subcommands. */
const argumentsOf = (name: string, words: readonly Buffer[]): readonly Buffer[] =>
  words.slice(name.includes('|') ? 2 : 1);

/** As much as may be shown, as text. */
function shorten(words: readonly Buffer[], limit: number): { readonly texts: string[]; readonly cut: boolean } {
  const texts: string[] = [];
  let left = limit;
  for (const word of words) {
    if (left <= 0) return { texts, cut: true };
    texts.push(word.toString('utf8', 0, left));
    if (word.length > left) return { texts, cut: true };
    left -= Math.max(1, word.length);
  }
  return { texts, cut: false };
}

/** What the client is told. Whatever else goes wrong ends the session. */
function refusalOf(cause: unknown): Buffer {
  if (!PosternError.is(cause) || (cause.code !== 'access_denied' && cause.code !== 'invalid_argument')) throw cause;
  return errorReply('NOPERM', cause.publicMessage ?? 'access denied');
}
