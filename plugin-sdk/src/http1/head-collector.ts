import { HttpRefusal } from './http-refusal.js';

const lf = 0x0a;
const cr = 0x0d;

/**
 * Finds the end of one head in a stream, however it was cut into chunks. Keeps
 * at most `limit` bytes. A line that does not end in CRLF is refused at once.
 */
export class HeadCollector {
  #kept: Buffer[] = [];
  #length = 0;
  #last = 0;
  /** Bytes of the present line, without its LF. */
  #line = 0;
  #lines = 0;

  constructor(readonly limit = 65_536) {}

  /** True where nothing of a head has come yet. */
  get empty(): boolean {
    return this.#length === 0;
  }

  /** How many bytes of an unfinished head are kept. */
  get length(): number {
    return this.#length;
  }

  /**
   * Takes bytes from `start` on. Answers the whole head with the empty line at
   * its end and where in the chunk it ended, or undefined where it goes on.
   * Throws {@link HttpRefusal}: 431 past the limit, 400 for a bare LF or CR.
   */
  take(chunk: Buffer, start = 0): { readonly head: Buffer; readonly end: number } | undefined {
    for (let from = start; from < chunk.length;) {
      const found = chunk.indexOf(lf, from);
      const until = found < 0 ? chunk.length : found;
      if (this.#length + until - start >= this.limit)
        throw new HttpRefusal(431, `a request head has at most ${this.limit} bytes`);
      this.#line += until - from;
      if (found < 0) break;
      const before = found > start ? chunk[found - 1] : this.#last;
      if (before !== cr) throw new HttpRefusal(400, 'a line of the head does not end in CR LF');
      if (this.#line === 1) {
        if (this.#lines === 0) throw new HttpRefusal(400, 'an empty line stands where a head should begin');
        return this.#complete(chunk, start, found + 1);
      }
      this.#line = 0;
      this.#lines += 1;
      from = found + 1;
    }
    this.#keep(chunk, start);
    return undefined;
  }

  #complete(chunk: Buffer, start: number, end: number): { head: Buffer; end: number } {
    const rest = chunk.subarray(start, end);
    const head = this.#kept.length === 0 ? rest : Buffer.concat([...this.#kept, rest]);
    this.#kept = [];
    this.#length = this.#last = this.#line = this.#lines = 0;
    return { head, end };
  }

  #keep(chunk: Buffer, start: number): void {
    if (start >= chunk.length) return;
    const piece = chunk.subarray(start);
    this.#length += piece.length;
    this.#last = piece[piece.length - 1] ?? 0;
    // Many tiny pieces must not cost more than their bytes.
    const tail = this.#kept.at(-1);
    if (tail !== undefined && tail.length + piece.length <= 1024)
      this.#kept[this.#kept.length - 1] = Buffer.concat([tail, piece]);
    else this.#kept.push(Buffer.from(piece));
  }
}
