const lf = 0x0a;

/** What a frame's first byte says of what follows its line. */
const text = new Set('+-:,_#('.split(''));
const strings = new Set('$=!'.split(''));
/** Values per element of an aggregate. An attribute is followed by the value that it is about. */
const aggregates: Readonly<Record<string, number>> = { '*': 1, '~': 1, '>': 1, '%': 2, '|': 2 };

/** A type, the digits of a length, and the CRLF. */
const longestHeader = 32;

/**
 * Follows the replies of a server (RESP2 and RESP3) as far as it takes to know
 * where one ends, wherever chunks begin and end: only there may a word of ours
 * be put between. Bulk data is skipped, not looked at. A server that sends
 * something else is followed no more.
 */
export class ReplyReader {
  /** Values that are missing from the reply that has begun. */
  #pending = 0;
  #header = '';
  /** Bytes of a string and its CRLF that are still to come. */
  #skip = 0;
  /** In the middle of a line of text. */
  #inText = false;
  #lost = false;

  /** True where a reply has just ended. */
  get between(): boolean {
    return !this.#lost && this.#pending === 0 && this.#header === '' && !this.#inText && this.#skip === 0;
  }

  read(chunk: Buffer): void {
    for (let at = 0; at < chunk.length && !this.#lost;) {
      if (this.#skip > 0) at += this.#skipData(chunk.length - at);
      else if (this.#inText) at = this.#skipText(chunk, at);
      else at = this.#readHeader(chunk, at);
    }
  }

  #skipData(available: number): number {
    const skipped = Math.min(this.#skip, available);
    this.#skip -= skipped;
    if (this.#skip === 0) this.#pending--;
    return skipped;
  }

  #skipText(chunk: Buffer, at: number): number {
    const end = chunk.indexOf(lf, at);
    if (end < 0) return chunk.length;
    this.#inText = false;
    this.#pending--;
    return end + 1;
  }

  #readHeader(chunk: Buffer, at: number): number {
    if (this.#header === '' && text.has(String.fromCharCode(chunk[at] ?? 0))) {
      this.#begin();
      this.#inText = true;
      return at + 1;
    }
    const end = chunk.indexOf(lf, at);
    const stop = end < 0 ? chunk.length : end;
    if (this.#header.length + stop - at > longestHeader) this.#lost = true;
    else this.#header += chunk.toString('latin1', at, stop);
    if (end < 0) return stop;
    this.#onHeader(this.#header);
    this.#header = '';
    return end + 1;
  }

  #onHeader(header: string): void {
    const type = header.charAt(0);
    const size = /^(-1|[0-9]{1,15})\r$/.exec(header.slice(1))?.[1];
    const values = aggregates[type];
    if (size === undefined || (values === undefined && !strings.has(type))) {
      this.#lost = true;
      return;
    }
    this.#begin();
    const count = Number(size);
    if (values === undefined) {
      if (count < 0) this.#pending--;
      else this.#skip = count + 2;
    } else this.#pending += Math.max(0, count) * values - (type === '|' ? 0 : 1);
  }

  #begin(): void {
    if (this.#pending === 0) this.#pending = 1;
  }
}
