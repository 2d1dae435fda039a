import { PosternError } from '@postern/plugin-sdk';
import { isContainer } from './command-class.js';
import { splitInline } from './inline-command.js';
import {
  maxArguments,
  maxBulkBytes,
  maxCountBytes,
  maxInlineBytes,
  parseCount,
  protocolError,
  usualCount,
} from './wire.js';

/** How much of the words is kept that make the name of a command. Longer ones are none that any server knows. */
const maxNameBytes = 128;

/** How many words are kept at most. */
const maxKeptWords = 256;

/** A command as far as it is known. */
export interface CommandHead {
  /** In lower case, with its subcommand where it has them: `get`, `client|kill`. */
  readonly name: string;
  /** How many words it has, its name's among them. */
  readonly words: number;
}

export interface CommandStep {
  /** `named`: enough was read to decide. `complete`: it ended; the kept words are in {@link CommandReader.kept}. */
  readonly kind: 'named' | 'complete';
  /** Just behind what was read. */
  readonly at: number;
}

type State = 'start' | 'count' | 'inline' | 'length' | 'data' | 'done';

/**
 * Follows the commands that a client sends (RESP arrays of bulk strings, and
 * inline commands), wherever chunks begin and end. Reads as strictly as it can,
 * so that no server reads another command out of the same bytes. Keeps the
 * beginning of the words, up to `keepBytes`.
 */
export class CommandReader {
  head: CommandHead = { name: '', words: 0 };
  /** The words, or what was kept of them, in their order. Views of the chunk until it was read to its end. */
  kept: Buffer[] = [];
  /** False where something was not kept. */
  whole = true;
  /** Bytes of this command so far. */
  bytes = 0;
  #state: State = 'start';
  /** The unfinished line at the end of the last chunk. */
  #line = '';
  #words = 0;
  #read = 0;
  #dataLeft = 0;
  #keepLeft = 0;
  #named = false;
  /** So many of the words are copies; the others lie in the chunk that is being read. */
  #copied = 0;

  constructor(private readonly keepBytes: number) {}

  /** True between two commands. */
  get idle(): boolean {
    return this.#state === 'start';
  }

  /** Reads on from `at`. `undefined` where all of `data` was read. Throws a protocol error. */
  next(data: Buffer, at: number): CommandStep | undefined {
    if (this.#state === 'done') return this.#complete(at);
    for (let position = at; ;) {
      if (this.#state === 'start') {
        if (position >= data.length) return undefined;
        this.#begin(data[position] === 0x2a);
      }
      const behind = this.#readCount(data, position);
      if (behind !== undefined) {
        this.bytes += behind - position;
        position = behind;
        continue;
      }
      const end = this.#state === 'data' ? this.#readData(data, position) : this.#readLine(data, position);
      this.bytes += end.at - position;
      position = end.at;
      if (!end.done) {
        this.#copyWords();
        return undefined;
      }
      const step = this.#advance(position);
      if (step) return step;
    }
  }

  #begin(multi: boolean): void {
    this.#state = multi ? 'count' : 'inline';
    this.kept = [];
    this.whole = true;
    this.bytes = 0;
    this.#words = 0;
    this.#read = 0;
    this.#keepLeft = this.keepBytes;
    this.#named = false;
    this.#copied = 0;
  }

  /** After a line or an argument was read whole. */
  #advance(at: number): CommandStep | undefined {
    if (this.#state === 'count') return this.#onCount(parseCount(this.#takeLine(), 'multibulk length'));
    if (this.#state === 'inline') return this.#onInline(at);
    if (this.#state === 'length') return this.#onLength(this.#parseLength());
    this.#read++;
    const name = this.#named ? undefined : this.#name();
    if (name !== undefined) {
      this.#named = true;
      this.#state = this.#read === this.#words ? 'done' : 'length';
      this.head = { name, words: this.#words };
      return { kind: 'named', at };
    }
    if (this.#read === this.#words) return this.#complete(at);
    this.#state = 'length';
    return undefined;
  }

  #complete(at: number): CommandStep {
    this.#state = 'start';
    return { kind: 'complete', at };
  }

  /** A line with a count that is there as a whole and in its usual form, as nearly every one is. Returns where it ends. */
  #readCount(data: Buffer, at: number): number | undefined {
    const type = this.#state === 'count' ? 0x2a : 0x24;
    if (this.#line !== '' || data[at] !== type || (this.#state !== 'count' && this.#state !== 'length'))
      return undefined;
    const count = usualCount(data, at + 1);
    if (!count) return undefined;
    if (this.#state === 'count') this.#onCount(count.value);
    else this.#onLength(count.value);
    return count.behind;
  }

  #parseLength(): number {
    const line = this.#takeLine();
    if (!line.startsWith('$')) throw protocolError(`expected '$', got '${printable(line.charAt(0))}'`);
    return parseCount(line, 'bulk length');
  }

  #onCount(count: number): undefined {
    if (count > maxArguments) throw protocolError('invalid multibulk length');
    this.#words = count;
    // Redis takes no notice of a command without words.
    this.#state = count <= 0 ? 'start' : 'length';
  }

  #onLength(length: number): undefined {
    if (length < 0 || length > maxBulkBytes) throw protocolError('invalid bulk length');
    this.#dataLeft = length + 2;
    if (this.kept.length < maxKeptWords) this.kept.push(nothing);
    else this.whole = false;
    this.#state = 'data';
  }

  #onInline(at: number): CommandStep | undefined {
    const line = this.#takeLine();
    // Redis looks for the end of the line as C does: a NUL would be read differently.
    if (line.includes('\0')) throw protocolError('NUL in an inline request');
    const words = splitInline(line);
    this.#state = 'start';
    if (words.length === 0) return undefined;
    this.kept = words.map((word) => Buffer.from(word, 'latin1'));
    this.#words = this.#read = words.length;
    this.#state = 'done';
    this.head = { name: this.#name() ?? '', words: words.length };
    return { kind: 'named', at };
  }

  /** `undefined` while the second word is missing, and matters. */
  #name(): string | undefined {
    const [first, second] = this.kept;
    const name = lower(first);
    if (!isContainer(name)) return name;
    if (second && this.#read >= 2) return `${name}|${lower(second)}`;
    return this.#read === this.#words ? name : undefined;
  }

  #readLine(data: Buffer, from: number): { readonly at: number; readonly done: boolean } {
    const limit = this.#state === 'inline' ? maxInlineBytes : maxCountBytes;
    const end = data.indexOf(0x0a, from);
    const stop = end < 0 ? data.length : end;
    if (this.#line.length + stop - from > limit)
      throw protocolError(this.#state === 'inline' ? 'too big inline request' : 'too big count string');
    this.#line += data.toString('latin1', from, stop);
    if (end < 0) return { at: stop, done: false };
    if (this.#state !== 'inline' && !this.#line.endsWith('\r')) throw protocolError('a line must end in CRLF');
    return { at: end + 1, done: true };
  }

  #takeLine(): string {
    const line = this.#line.endsWith('\r') ? this.#line.slice(0, -1) : this.#line;
    this.#line = '';
    // Redis takes the first CR for the end of the line, whatever follows it.
    if (this.#state !== 'inline' && line.includes('\r')) throw protocolError('a line must end in CRLF');
    return line;
  }

  /** An argument and the CRLF behind it. */
  #readData(data: Buffer, from: number): { readonly at: number; readonly done: boolean } {
    const end = Math.min(data.length, from + this.#dataLeft);
    const content = Math.max(0, Math.min(end - from, this.#dataLeft - 2));
    if (content > 0) this.#keep(data, from, content);
    for (let at = from + content; at < end; at++) {
      const expected = this.#dataLeft - (at - from) === 2 ? 0x0d : 0x0a;
      if (data[at] !== expected) throw protocolError('an argument must end in CRLF');
    }
    this.#dataLeft -= end - from;
    return { at: end, done: this.#dataLeft === 0 };
  }

  #keep(data: Buffer, from: number, length: number): void {
    const last = this.#read;
    const before = this.kept[last];
    if (!before) return;
    const room = last < 2 ? Math.max(this.#keepLeft, maxNameBytes - before.length) : this.#keepLeft;
    const kept = Math.max(0, Math.min(length, room));
    if (kept < length) this.whole = false;
    this.#keepLeft = Math.max(0, this.#keepLeft - kept);
    if (kept === 0) return;
    const part = data.subarray(from, from + kept);
    this.kept[last] = before.length === 0 ? part : Buffer.concat([before, part]);
  }

  /** The chunk belongs to the relay: what is needed longer is copied. */
  #copyWords(): void {
    for (let index = this.#copied; index < this.kept.length; index++)
      this.kept[index] = Buffer.from(this.kept[index] ?? nothing);
    // The last one may still grow.
    this.#copied = Math.max(0, this.kept.length - 1);
  }
}

const nothing = Buffer.alloc(0);

const lower = (word: Buffer | undefined): string => (word ?? nothing).toString('latin1').toLowerCase();

const printable = (character: string): string => (/^[\x20-\x7e]$/.test(character) ? character : '?');

/** A command that must be read whole was too long to be. */
export const tooLong = (name: string): PosternError =>
  PosternError.public('limit_exceeded', `Protocol error: ${name} is too long`);
