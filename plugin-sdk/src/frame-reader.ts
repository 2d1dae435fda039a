import type { Readable } from 'node:stream';
import { PosternError } from './errors.js';

/**
 * Reads a stream frame by frame, for the part of a protocol that is a dialogue
 * (a login, a handshake). One call at a time. Holds at most `limit` bytes and
 * the chunk that went past them, and reads only while somebody waits: a longer
 * frame rejects with `limit_exceeded`, an end inside a frame with
 * `protocol_violation`, a stream that failed with `aborted`. Bulk data belongs
 * to {@link relay}.
 */
export class FrameReader {
  /** The unread bytes are those from `#start` to `#end`; what lies behind `#end` is room for more. */
  #buffer: Buffer = Buffer.alloc(0);
  #start = 0;
  #end = 0;
  #over: boolean;
  #released = false;
  #failure: Error | undefined;
  #wake: (() => void) | undefined;

  constructor(
    private readonly stream: Readable,
    readonly limit: number,
  ) {
    this.#over = stream.readableEnded || stream.destroyed;
    this.#failure = stream.errored ?? undefined;
    stream.on('data', this.#onData);
    stream.once('end', this.#onEnd);
    stream.once('close', this.#onEnd);
    stream.once('error', this.#onError);
  }

  /** Exactly `count` bytes. */
  async bytes(count: number): Promise<Buffer> {
    if (!Number.isSafeInteger(count) || count < 0)
      throw new PosternError('protocol_violation', `${count} is not a length`);
    if (count > this.limit)
      throw new PosternError('limit_exceeded', `a frame of ${count} bytes was announced, ${this.limit} are allowed`);
    while (this.#length < count) await this.#more();
    return this.#take(count);
  }

  /** The first `count` bytes of a frame; `undefined` where the stream ends before another frame begins. */
  async head(count: number): Promise<Buffer | undefined> {
    while (this.#length === 0 && count > 0) {
      if (this.#over && !this.#failure) return undefined;
      await this.#more();
    }
    return this.bytes(count);
  }

  /**
   * One line without its LF or CRLF, a character for each byte (latin1);
   * `undefined` where the stream ends before another line begins.
   */
  async line(): Promise<string | undefined> {
    for (let searched = 0; ;) {
      const unread = this.peek();
      const end = unread.indexOf(0x0a, searched);
      if (end > this.limit || (end < 0 && unread.length > this.limit))
        throw new PosternError('limit_exceeded', `no line within ${this.limit} bytes`);
      if (end >= 0)
        return this.#take(end + 1)
          .toString('latin1')
          .replace(/\r?\n$/, '');
      if (this.#over && !this.#failure && unread.length === 0) return undefined;
      searched = unread.length;
      await this.#more();
    }
  }

  /** What has arrived and nobody has read yet. */
  peek(): Buffer {
    return this.#buffer.subarray(this.#start, this.#end);
  }

  /**
   * Stops reading and gives back what was not consumed, to be put before what
   * the stream yields next. The reader must not be used afterwards.
   */
  release(): Buffer {
    this.#released = true;
    this.stream.pause();
    this.stream.off('data', this.#onData);
    this.stream.off('end', this.#onEnd);
    this.stream.off('close', this.#onEnd);
    this.stream.off('error', this.#onError);
    return this.#take(this.#length);
  }

  get #length(): number {
    return this.#end - this.#start;
  }

  async #more(): Promise<void> {
    if (this.#released || this.#wake) throw new PosternError('internal', 'a frame reader serves one call at a time');
    if (this.#failure) throw new PosternError('aborted', 'the stream failed inside a frame', { cause: this.#failure });
    if (this.#over) throw new PosternError('protocol_violation', 'the stream ended inside a frame');
    this.stream.resume();
    await new Promise<void>((resolve) => (this.#wake = resolve));
  }

  #take(count: number): Buffer {
    const taken = this.#buffer.subarray(this.#start, this.#start + count);
    this.#start += count;
    return taken;
  }

  readonly #onData = (chunk: Buffer): void => {
    const length = this.#length;
    if (length === 0) {
      this.#buffer = chunk;
      this.#start = 0;
      this.#end = chunk.length;
    } else {
      // Doubling keeps the copying linear, however small the pieces are that a hostile client sends.
      if (this.#buffer.length - this.#end < chunk.length) this.#grow(2 * (length + chunk.length));
      chunk.copy(this.#buffer, this.#end);
      this.#end += chunk.length;
    }
    // Reading stops until somebody asks for more, so that a fast sender meets back-pressure and not our memory.
    this.stream.pause();
    this.#notify();
  };

  /** Never moves bytes within one buffer: frames that were handed out still lie there. */
  #grow(size: number): void {
    const larger = Buffer.allocUnsafe(size);
    this.#end = this.peek().copy(larger);
    this.#start = 0;
    this.#buffer = larger;
  }

  readonly #onEnd = (): void => {
    this.#over = true;
    this.#notify();
  };

  readonly #onError = (cause: Error): void => {
    this.#failure = cause;
    this.#notify();
  };

  #notify(): void {
    const wake = this.#wake;
    this.#wake = undefined;
    wake?.();
  }
}
