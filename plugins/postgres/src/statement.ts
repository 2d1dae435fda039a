import { createHash, type Hash } from 'node:crypto';
import { wholeCharacters, type ClientText } from './client-text.js';

/** A statement's text as far as it is kept, and what identifies the rest. */
export interface Statement {
  /** The beginning that events show; undefined once it was forgotten for want of memory. */
  shown: string | undefined;
  readonly bytes: number;
  /** Of the whole text, in hexadecimal, where `shown` is not all of it. */
  readonly sha256?: string;
  /** By which encoding it was read, where that was not UTF-8. */
  readonly encoding?: string | undefined;
}

export interface TextLimits {
  readonly reader: ClientText;
  /** Most bytes that events show. */
  readonly limit: number;
}

/** A statement whose whole text lies in `body`. */
export function statementFrom(body: Buffer, from: number, to: number, { reader, limit }: TextLimits): Statement {
  const bytes = to - from;
  const { text: shown, encoding } = reader.beginning(body, from, to, limit);
  if (bytes <= limit) return { shown, bytes, encoding };
  const sha256 = createHash('sha256').update(body.subarray(from, to)).digest('hex');
  return { shown, bytes, encoding, sha256 };
}

/** A piece of a long text: as text where it is some, else as bytes. */
export type TextPiece = { readonly text: string } | { readonly base64: string };

/**
 * A statement that is too long to be held at once: digests the text while it
 * passes, and gives it back in pieces that are whole characters.
 */
export class LongText {
  bytes = 0;
  readonly #hash: Hash = createHash('sha256');
  /** The beginning of a character whose end has not come. */
  #held = Buffer.alloc(0);
  #stringsBefore: number;
  #over = false;

  /** `stringsBefore`: how many zero-terminated strings precede the text in the message. */
  constructor(
    stringsBefore: number,
    private readonly reader: ClientText,
  ) {
    this.#stringsBefore = stringsBefore;
  }

  /** Takes the next piece of the message and returns what it holds of the text. */
  push(piece: Buffer): TextPiece | undefined {
    let from = 0;
    while (this.#stringsBefore > 0) {
      const end = piece.indexOf(0, from);
      if (end < 0) return undefined;
      this.#stringsBefore -= 1;
      from = end + 1;
    }
    if (this.#over) return undefined;
    const end = piece.indexOf(0, from);
    this.#over = end >= 0;
    const text = piece.subarray(from, end < 0 ? piece.length : end);
    this.bytes += text.length;
    this.#hash.update(text);
    return this.#pieceOf(text);
  }

  /** The statement, once the message is over. `body` is its beginning, in which the text begins at `from`. */
  end(body: Buffer, from: number, limit: number): Statement {
    const { text: shown, encoding } = this.reader.beginning(body, from, body.length, limit);
    return { shown, bytes: this.bytes, encoding, sha256: this.#hash.digest('hex') };
  }

  /** Characters of several bytes are followed in UTF-8 alone: other texts are kept as bytes. */
  #pieceOf(piece: Buffer): TextPiece | undefined {
    const { encoding, isSingleByte } = this.reader;
    if (encoding !== undefined && !isSingleByte)
      return piece.length === 0 ? undefined : { base64: piece.toString('base64') };
    const all = this.#held.length > 0 ? Buffer.concat([this.#held, piece]) : piece;
    const end = this.#over || isSingleByte ? all.length : lastWhole(all);
    this.#held = Buffer.from(all.subarray(end));
    if (end === 0) return undefined;
    const text = this.reader.exactly(all, 0, end);
    return text === undefined ? { base64: all.toString('base64', 0, end) } : { text };
  }
}

/** Where the last whole character of a piece of UTF-8 ends. */
function lastWhole(piece: Buffer): number {
  const start = wholeCharacters(piece, 0, piece.length - 1);
  const lead = piece[start] ?? 0;
  const length = lead < 0xc0 ? 1 : lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4;
  return start + length > piece.length ? start : piece.length;
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
