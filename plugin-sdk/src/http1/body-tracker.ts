import { HttpRefusal } from './http-refusal.js';
import type { BodyFraming } from './body-framing.js';

const lf = 0x0a;
const cr = 0x0d;

/** Longest line that announces a chunk, with its extensions. */
const maxChunkLine = 256;
const maxTrailers = 8192;

type State = 'size' | 'data' | 'data-cr' | 'data-lf' | 'trailers' | 'done';

export interface BodyTrackerOptions {
  /**
   * Fields behind a chunked body; refused unless told otherwise, since few read
   * them and fewer check them. `apart`: `take` stops before them once.
   */
  readonly trailers?: boolean | 'apart';
}

/**
 * Follows one body through a stream without keeping it. Bytes are forwarded as
 * they were received, so that it accepts chunks in their strict form alone
 * (RFC 9112, section 7.1): what another reader would take apart differently is
 * refused.
 */
export class BodyTracker {
  #left: number;
  #state: State;
  #line = '';
  #trailers = 0;
  #bytes = 0;
  readonly #chunked: boolean;

  constructor(
    private readonly framing: BodyFraming,
    private readonly options: BodyTrackerOptions = {},
  ) {
    this.#chunked = framing.kind === 'chunked';
    this.#left = framing.kind === 'length' ? framing.length : Infinity;
    if (framing.kind === 'none' || this.#left === 0) this.#state = 'done';
    else this.#state = this.#chunked ? 'size' : 'data';
  }

  /** True behind the last byte. A body that ends with the connection is never done. */
  get done(): boolean {
    return this.#state === 'done';
  }

  /** Bytes of content so far, without what frames them. */
  get bytes(): number {
    return this.#bytes;
  }

  /** True where another chunk of a chunked body could stand. */
  get betweenChunks(): boolean {
    return this.#state === 'size' && this.#line === '';
  }

  /** True behind the last chunk of a chunked body, until the empty line behind its trailers has come. */
  get trailing(): boolean {
    return this.#state === 'trailers';
  }

  /** True where the end of the stream is a proper end of this body. */
  get mayEnd(): boolean {
    return this.done || this.framing.kind === 'close' || this.framing.kind === 'switch';
  }

  /** Takes bytes from `start` on, and answers where in the chunk the body ended: its length where it goes on. */
  take(chunk: Buffer, start = 0): number {
    let at = start;
    const apart = this.options.trailers === 'apart' && !this.trailing;
    while (at < chunk.length && this.#state !== 'done' && !(apart && this.trailing)) at = this.#step(chunk, at);
    return at;
  }

  #step(chunk: Buffer, at: number): number {
    if (this.#state === 'data') return this.#data(chunk, at);
    if (this.#state === 'data-cr' || this.#state === 'data-lf') return this.#afterData(chunk, at);
    return this.#inLine(chunk, at);
  }

  #data(chunk: Buffer, at: number): number {
    const taken = Math.min(this.#left, chunk.length - at);
    this.#left -= taken;
    this.#bytes += taken;
    if (this.#left === 0) {
      this.#state = this.#chunked ? 'data-cr' : 'done';
      if (this.#chunked) this.#line = '';
    }
    return at + taken;
  }

  #afterData(chunk: Buffer, at: number): number {
    const wanted = this.#state === 'data-cr' ? cr : lf;
    if (chunk[at] !== wanted) throw new HttpRefusal(400, 'a chunk is longer than was announced');
    this.#state = this.#state === 'data-cr' ? 'data-lf' : 'size';
    return at + 1;
  }

  #inLine(chunk: Buffer, at: number): number {
    const limit = this.#state === 'size' ? maxChunkLine : maxTrailers;
    const found = chunk.indexOf(lf, at);
    const end = found < 0 ? chunk.length : found + 1;
    if (this.#line.length + end - at > limit) throw new HttpRefusal(400, 'a line of a chunked body is too long');
    this.#line += chunk.toString('latin1', at, end);
    if (found < 0) return end;
    const line = this.#line;
    this.#line = '';
    if (!line.endsWith('\r\n')) throw new HttpRefusal(400, 'a line of a chunked body does not end in CR LF');
    if (this.#state === 'size') this.#announce(line.slice(0, -2));
    else this.#trailer(line.slice(0, -2));
    return end;
  }

  #announce(line: string): void {
    const found = /^([0-9A-Fa-f]{1,13})(?:[ \t]*;[\t\x20-\x7e\x80-\xff]*)?$/.exec(line);
    if (!found) throw new HttpRefusal(400, 'the size of a chunk is not a hexadecimal number');
    this.#left = parseInt(found[1] ?? '', 16);
    this.#state = this.#left === 0 ? 'trailers' : 'data';
  }

  #trailer(line: string): void {
    if (line === '') {
      this.#state = 'done';
      return;
    }
    this.#trailers += line.length;
    if (this.options.trailers === undefined || this.options.trailers === false)
      throw new HttpRefusal(400, 'fields stand behind the body');
    if (this.#trailers > maxTrailers || !/^[!#$%&'*+\-.^_`|~0-9A-Za-z]+:[\t\x20-\x7e\x80-\xff]*$/.test(line))
      throw new HttpRefusal(400, 'a field behind the body is not one');
  }
}
