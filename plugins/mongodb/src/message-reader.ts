import { headerBytes, parseHeader, type Header } from './wire.js';

/** A whole message, with its header. */
export interface Message {
  readonly header: Header;
  readonly data: Buffer;
}

/** Cuts a stream into messages, wherever chunks begin and end. Holds at most one message, and no more than was announced and arrived. */
export class MessageReader {
  /** The unread bytes are those from `#start` to `#end`. */
  #buffer: Buffer = Buffer.alloc(0);
  #start = 0;
  #end = 0;
  /** False where the buffer is a chunk that belongs to the stream. */
  #own = false;

  constructor(private readonly limit: number) {}

  /** True between two messages. */
  get idle(): boolean {
    return this.#start === this.#end;
  }

  push(chunk: Buffer): void {
    if (this.idle) {
      this.#buffer = chunk;
      this.#start = 0;
      this.#end = chunk.length;
      this.#own = false;
      return;
    }
    // Doubling keeps the copying linear, however small the pieces are that a hostile client sends.
    const length = this.#end - this.#start;
    if (!this.#own || this.#buffer.length - this.#end < chunk.length) this.#move(2 * (length + chunk.length));
    this.#end += chunk.copy(this.#buffer, this.#end);
  }

  /** The next message; nothing where it is not there yet. Throws where its length is none. */
  next(): Message | undefined {
    const length = this.#end - this.#start;
    const header = length < headerBytes ? undefined : parseHeader(this.#buffer, this.#start, this.limit);
    if (!header || length < header.length) {
      if (length > 0 && !this.#own) this.#move(length);
      return undefined;
    }
    const data = this.#buffer.subarray(this.#start, this.#start + header.length);
    this.#start += header.length;
    return { header, data };
  }

  /** The header of what could not be read, for the answer to it. */
  get waiting(): Buffer | undefined {
    return this.#end - this.#start < headerBytes
      ? undefined
      : this.#buffer.subarray(this.#start, this.#start + headerBytes);
  }

  /** Never moves bytes within one buffer: messages that were handed out still lie there. */
  #move(size: number): void {
    const larger = Buffer.allocUnsafeSlow(size);
    this.#end = this.#buffer.copy(larger, 0, this.#start, this.#end);
    this.#start = 0;
    this.#buffer = larger;
    this.#own = true;
  }
}
