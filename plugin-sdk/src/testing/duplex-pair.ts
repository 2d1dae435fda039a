import { Duplex } from 'node:stream';

type Done = (cause?: Error | null) => void;

/** One end of a pair. What is written here is read there, and a writer waits while nobody reads. */
class End extends Duplex {
  peer!: End;
  /** The other end's write that waits for this end to read. */
  waiting: Done | undefined;

  constructor(highWaterMark: number | undefined) {
    super({ allowHalfOpen: true, ...(highWaterMark !== undefined && { highWaterMark }) });
  }

  override _read(): void {
    this.#answer();
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: Done): void {
    if (this.peer.destroyed) return done(brokenPipe());
    if (this.peer.push(chunk)) return done();
    this.peer.waiting = done;
  }

  override _final(done: Done): void {
    if (!this.peer.destroyed) this.peer.push(null);
    done();
  }

  override _destroy(cause: Error | null, done: Done): void {
    this.#answer(brokenPipe());
    // Like a socket that was closed: the other end reads the end, and fails only when it writes.
    if (!this.writableFinished && !this.peer.destroyed) this.peer.push(null);
    done(cause);
  }

  #answer(cause?: Error): void {
    const waiting = this.waiting;
    this.waiting = undefined;
    waiting?.(cause);
  }
}

const brokenPipe = (): Error => Object.assign(new Error('write EPIPE'), { code: 'EPIPE' });

/** Two streams joined back to back, with back-pressure and half-close, like a connected pair of sockets in memory. */
export function duplexPair(options: { readonly highWaterMark?: number } = {}): [Duplex, Duplex] {
  const one = new End(options.highWaterMark);
  const other = new End(options.highWaterMark);
  one.peer = other;
  other.peer = one;
  return [one, other];
}
