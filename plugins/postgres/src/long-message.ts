import { createHash, type Hash } from 'node:crypto';
import type { ClientText } from './client-text.js';
import type { Journal } from './journal.js';
import { LongText } from './statement.js';

/** A message that is too long to be held: it goes to the recording piece by piece, and the log gets its digest. */
export class LongMessage {
  /** Of the text, in messages that carry one. */
  readonly text: LongText | undefined;
  readonly sequence: number;
  readonly #hash: Hash = createHash('sha256');

  /** `stringsBefore`: how many strings precede the text; undefined where the message carries none. */
  constructor(
    private readonly journal: Journal,
    stringsBefore: number | undefined,
    reader: ClientText,
  ) {
    this.sequence = journal.next();
    this.text = stringsBefore === undefined ? undefined : new LongText(stringsBefore, reader);
  }

  push(piece: Buffer): void {
    const { sequence } = this;
    if (!this.text) {
      this.#hash.update(piece);
      return this.journal.part({ sequence, base64: piece.toString('base64') });
    }
    const read = this.text.push(piece);
    if (read) this.journal.part({ sequence, ...read });
  }

  /** SHA-256 of the whole message in hexadecimal, where it carries no text. */
  digest(): string {
    return this.#hash.digest('hex');
  }
}
