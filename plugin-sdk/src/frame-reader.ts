import type { Readable } from 'node:stream';
import { PosternError } from './errors.js';

/**
 * Reads a stream frame by frame, for the part of a protocol that is a dialogue
 * (a login, a handshake). Never holds more than `limit` bytes: a longer frame
 * rejects with `limit_exceeded`, an end inside a frame with
 * `protocol_violation`. Bulk data belongs to {@link relay}.
 */
export class FrameReader {
  #pending: Buffer[] = [];
  #length = 0;
  #ended = false;
  #failure: Error | undefined;
  #wake: (() => void) | undefined;

  constructor(
    private readonly stream: Readable,
    readonly limit: number,
  ) {
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

  /** One line without its LF or CRLF; `undefined` where the stream ends before another line begins. */
  async line(): Promise<string | undefined> {
    for (;;) {
      const whole = this.#join();
      const end = whole.indexOf(0x0a);
      if (end >= 0)
        return this.#take(end + 1)
          .toString('latin1')
          .replace(/\r?\n$/, '');
      if (this.#length > this.limit) throw new PosternError('limit_exceeded', `no line within ${this.limit} bytes`);
      if (this.#ended && this.#length === 0) return undefined;
      await this.#more();
    }
  }

  /** What has arrived and nobody has read yet. */
  peek(): Buffer {
    return this.#join();
  }

  /**
   * Stops reading and gives back what was not consumed, to be put before what
   * the stream yields next. The reader must not be used afterwards.
   */
  release(): Buffer {
    this.stream.pause();
    this.stream.off('data', this.#onData);
    this.stream.off('end', this.#onEnd);
    this.stream.off('close', this.#onEnd);
    this.stream.off('error', this.#onError);
    return this.#take(this.#length);
  }

  async #more(): Promise<void> {
    if (this.#failure) throw new PosternError('aborted', 'the stream failed inside a frame', { cause: this.#failure });
    if (this.#ended) throw new PosternError('protocol_violation', 'the stream ended inside a frame');
    this.stream.resume();
    await new Promise<void>((resolve) => (this.#wake = resolve));
  }

  #join(): Buffer {
    if (this.#pending.length > 1) this.#pending = [Buffer.concat(this.#pending, this.#length)];
    return this.#pending[0] ?? Buffer.alloc(0);
  }

  #take(count: number): Buffer {
    const whole = this.#join();
    const rest = whole.subarray(count);
    this.#pending = rest.length > 0 ? [rest] : [];
    this.#length = rest.length;
    return whole.subarray(0, count);
  }

  readonly #onData = (chunk: Buffer): void => {
    this.#pending.push(chunk);
    this.#length += chunk.length;
    // Reading stops until somebody asks for more, so that a fast sender meets back-pressure and not our memory.
    this.stream.pause();
    this.#notify();
  };

  readonly #onEnd = (): void => {
    this.#ended = true;
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
