import { PosternError, write, type Opening } from '@postern/plugin-sdk';
import type net from 'node:net';

export interface OpeningLimits {
  /** How many bytes an opening may have, read and unread. */
  readonly maxBytes: number;
  /** How long it may take. */
  readonly deadlineMs: number;
}

export const openingLimits: OpeningLimits = { maxBytes: 65_536, deadlineMs: 10_000 };

interface Waiter {
  readonly count: number;
  resolve(): void;
  reject(cause: Error): void;
}

/**
 * The first bytes of a connection. Reads the socket only while somebody waits,
 * so that a fast sender meets back-pressure, and gives the socket on with
 * every byte that nobody consumed put back. The caller keeps an `error`
 * listener on the socket and destroys it when the opening fails.
 */
export class SocketOpening implements Opening {
  readonly #timer: NodeJS.Timeout;
  /** Received and not consumed: `#store` from `#start` to `#end`. */
  #store: Buffer = Buffer.alloc(0);
  #start = 0;
  #end = 0;
  #consumed = 0;
  #received = 0;
  #interrupted = false;
  #open = true;
  #failure: PosternError | undefined;
  /** The client said its last byte: what is unread may still be read, and nothing will follow. */
  #ended: PosternError | undefined;
  #waiter: Waiter | undefined;
  #onFailure: ((cause: PosternError) => void) | undefined;

  constructor(
    private readonly socket: net.Socket,
    private readonly limits: OpeningLimits = openingLimits,
  ) {
    socket.pause();
    socket.on('data', this.#onData).on('end', this.#onEnd).on('close', this.#onClose).on('error', this.#onError);
    const late = (): void => this.fail(new PosternError('timeout', `no opening within ${limits.deadlineMs} ms`));
    this.#timer = setTimeout(late, limits.deadlineMs).unref();
  }

  /** How many bytes have arrived, consumed ones included. */
  get received(): number {
    return this.#received;
  }

  /** True when something was written while bytes lay unread: the client did not wait for the answer. */
  get interrupted(): boolean {
    return this.#interrupted;
  }

  async read(count: number): Promise<Buffer> {
    if (!Number.isSafeInteger(count) || count < 0)
      throw new PosternError('protocol_violation', `${count} is not a length`);
    if (this.#unread < count) await this.#wait(count);
    return this.take(count);
  }

  peek(): Buffer {
    // What the stream holds already has arrived too: reading it runs it through the data listener.
    if (this.#open && this.socket.readableLength > 0) this.socket.read();
    return this.#held;
  }

  async write(data: Buffer): Promise<void> {
    if (this.peek().length > 0) this.#interrupted = true;
    if (this.#failure) throw this.#failure;
    await write(this.socket, data);
  }

  /** Waits until more has arrived than {@link peek} shows now. Rejects like {@link read}. */
  async more(): Promise<void> {
    await this.#wait(this.#unread + 1);
  }

  /** Consumes `count` bytes of those that {@link peek} shows. */
  take(count: number): Buffer {
    const taken = this.#held.subarray(0, count);
    this.#start += taken.length;
    this.#consumed += taken.length;
    return taken;
  }

  /** Ends the opening from outside: whoever waits gets `cause`. */
  fail(cause: PosternError): void {
    if (this.#failure) return;
    this.#failure = cause;
    this.#release();
    this.#waiter?.reject(cause);
    this.#waiter = undefined;
    this.#onFailure?.(cause);
  }

  /** Calls back once when the opening fails, also while nobody reads. */
  onFailure(listener: (cause: PosternError) => void): void {
    if (this.#failure) listener(this.#failure);
    else this.#onFailure = listener;
  }

  /**
   * Ends the opening and gives the socket on, paused, with what nobody consumed
   * put back in front. Throws where the client has gone meanwhile.
   */
  release(): net.Socket {
    if (this.#failure) throw this.#failure;
    // A stream that has told its end takes nothing back.
    if (this.#ended && this.#unread > 0) throw this.#ended;
    this.#release();
    this.#onFailure = undefined;
    if (this.#unread > 0) this.socket.unshift(this.#held);
    this.#store = Buffer.alloc(0);
    this.#start = this.#end = 0;
    return this.socket;
  }

  get #held(): Buffer {
    return this.#store.subarray(this.#start, this.#end);
  }

  get #unread(): number {
    return this.#end - this.#start;
  }

  #wait(count: number): Promise<void> {
    const over = this.#failure ?? this.#ended;
    if (over) return Promise.reject(over);
    if (this.#consumed + count > this.limits.maxBytes)
      return Promise.reject(
        new PosternError('limit_exceeded', `an opening of more than ${this.limits.maxBytes} bytes`),
      );
    return new Promise((resolve, reject) => {
      this.#waiter = { count, resolve, reject };
      this.socket.resume();
    });
  }

  /** Keeps one buffer that doubles: an opening that comes byte by byte must not cost the square of its length. */
  #append(chunk: Buffer): void {
    const unread = this.#held;
    if (unread.length === 0) {
      this.#store = chunk;
      this.#start = 0;
      this.#end = chunk.length;
      return;
    }
    if (this.#end + chunk.length > this.#store.length) {
      this.#store = Buffer.allocUnsafeSlow(Math.max(512, 2 * (unread.length + chunk.length)));
      this.#start = 0;
      this.#end = unread.copy(this.#store);
    }
    this.#end += chunk.copy(this.#store, this.#end);
  }

  #release(): void {
    this.#open = false;
    clearTimeout(this.#timer);
    this.socket.pause();
    const { socket } = this;
    socket.off('data', this.#onData).off('end', this.#onEnd).off('close', this.#onClose).off('error', this.#onError);
  }

  readonly #onData = (chunk: Buffer): void => {
    this.#received += chunk.length;
    this.#append(chunk);
    const waiter = this.#waiter;
    if (waiter && this.#unread < waiter.count) return;
    this.socket.pause();
    this.#waiter = undefined;
    waiter?.resolve();
  };

  readonly #onEnd = (): void => {
    this.#ended = this.#gone();
    if (this.#waiter) this.fail(this.#ended);
  };

  readonly #onClose = (): void => this.fail(this.#gone());

  #gone(): PosternError {
    return new PosternError('aborted', `the client closed the connection after ${this.#received} bytes`);
  }

  readonly #onError = (cause: Error): void => {
    this.fail(new PosternError('aborted', 'the connection failed', { cause }));
  };
}
