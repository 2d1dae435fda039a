import { createHash, type Hash } from 'node:crypto';
import { StringDecoder } from 'node:string_decoder';
import { beginningOf, textOf } from './client-messages.js';

/** A statement's text as far as it is kept, and what identifies the rest. */
export interface Statement {
  /** The beginning that events show; undefined once it was forgotten for want of memory. */
  shown: string | undefined;
  readonly bytes: number;
  /** Of the whole text, in hexadecimal, where `shown` is not all of it. */
  readonly sha256?: string;
}

/** A statement whose whole text lies in `body`. */
export function statementFrom(body: Buffer, from: number, to: number, limit: number): Statement {
  const bytes = to - from;
  if (bytes <= limit) return { shown: textOf(body, from, to), bytes };
  const sha256 = createHash('sha256').update(body.subarray(from, to)).digest('hex');
  return { shown: beginningOf(body, from, to, limit), bytes, sha256 };
}

/**
 * A statement that is too long to be held at once: digests the text while it
 * passes, and gives it back in pieces that are whole characters.
 */
export class LongText {
  bytes = 0;
  readonly #hash: Hash = createHash('sha256');
  readonly #decoder = new StringDecoder('utf8');
  #stringsBefore: number;
  #over = false;

  /** `stringsBefore`: how many zero-terminated strings precede the text in the message. */
  constructor(stringsBefore: number) {
    this.#stringsBefore = stringsBefore;
  }

  /** Takes the next piece of the message and returns what it holds of the text. */
  push(piece: Buffer): string {
    let from = 0;
    while (this.#stringsBefore > 0) {
      const end = piece.indexOf(0, from);
      if (end < 0) return '';
      this.#stringsBefore -= 1;
      from = end + 1;
    }
    if (this.#over) return '';
    const end = piece.indexOf(0, from);
    this.#over = end >= 0;
    const text = piece.subarray(from, end < 0 ? piece.length : end);
    this.bytes += text.length;
    this.#hash.update(text);
    return this.#decoder.write(text);
  }

  /** The statement, once the message is over. `body` is its beginning, in which the text begins at `from`. */
  end(body: Buffer, from: number, limit: number): Statement {
    const shown = beginningOf(body, from, body.length, limit);
    return { shown, bytes: this.bytes, sha256: this.#hash.digest('hex') };
  }
}

/** Bounds the memory that the texts of prepared statements take: the oldest are forgotten first. */
export class TextBudget {
  readonly #kept = new Map<Statement, number>();
  #bytes = 0;

  constructor(private readonly maxBytes: number) {}

  keep(statement: Statement): void {
    const size = statement.shown?.length ?? 0;
    this.#kept.set(statement, size);
    this.#bytes += size;
    for (const [oldest] of this.#kept) {
      if (this.#bytes <= this.maxBytes || oldest === statement) return;
      oldest.shown = undefined;
      this.release(oldest);
    }
  }

  release(statement: Statement): void {
    this.#bytes -= this.#kept.get(statement) ?? 0;
    this.#kept.delete(statement);
  }
}
