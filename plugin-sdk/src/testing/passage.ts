import { Duplex } from 'node:stream';

type Done = (cause?: Error | null) => void;

export interface PassageHooks {
  /** What is written instead of a chunk, piece by piece. */
  outward?(chunk: Buffer): Iterable<Buffer> | AsyncIterable<Buffer>;
  /** Sees what was read. */
  inward?(chunk: Buffer): void;
}

/**
 * A stream around another one, through which a test looks at what passes,
 * changes it, or holds it up. Ends, failures and back-pressure pass both ways.
 */
export class Passage extends Duplex {
  #silent = false;

  constructor(
    private readonly inner: Duplex,
    private readonly hooks: PassageHooks,
  ) {
    super({ allowHalfOpen: true });
    inner.on('data', (chunk: Buffer) => {
      hooks.inward?.(chunk);
      if (!this.#silent && !this.push(chunk)) inner.pause();
    });
    inner.pause();
    inner.once('end', () => this.hangUp());
    inner.once('error', (cause) => this.destroy(cause));
    inner.once('close', () => this.#onClose());
  }

  /** The other side says that it has nothing more to say, whatever it may still send. */
  hangUp(): void {
    if (this.#silent) return;
    this.#silent = true;
    this.push(null);
  }

  override _read(): void {
    this.inner.resume();
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: Done): void {
    this.#pass(chunk).then(() => done(), done);
  }

  override _final(done: Done): void {
    this.inner.end(() => done());
  }

  override _destroy(cause: Error | null, done: Done): void {
    this.inner.destroy();
    done(cause);
  }

  async #pass(chunk: Buffer): Promise<void> {
    for await (const piece of this.hooks.outward?.(chunk) ?? [chunk])
      await new Promise<void>((resolve, reject) => {
        this.inner.write(piece, (cause) => (cause ? reject(cause) : resolve()));
      });
  }

  #onClose(): void {
    if (!this.inner.readableEnded || !this.inner.writableFinished) this.destroy();
  }
}
