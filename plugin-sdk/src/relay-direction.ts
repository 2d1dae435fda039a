import type { Duplex } from 'node:stream';
import { PosternError } from './errors.js';
import type { Tap, Tapped } from './relay.js';

/**
 * One direction of a relay: what `from` yields goes through the tap to `to`.
 * `stop` is shared by both directions, so that a failure of one ends the other.
 */
export class RelayDirection {
  #resolve: () => void = () => {};
  #reject: (cause: Error) => void = () => {};
  #settled = false;
  /** True while the tap holds a chunk: nothing is read and nothing overtakes it. */
  #held = false;
  #ended: boolean;

  constructor(
    private readonly from: Duplex,
    private readonly to: Duplex,
    private readonly tap: Tap | undefined,
    private readonly stop: AbortController,
  ) {
    this.#ended = from.readableEnded;
  }

  /** Forwards `head`, then everything up to the end of `from`. Resolves once `to` has taken it all. */
  run(head?: Buffer): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
      if (this.stop.signal.aborted) return this.#onStop();
      if (this.#gone(head)) return this.#fail(new PosternError('aborted', 'a side of the relay was closed already'));
      this.stop.signal.addEventListener('abort', this.#onStop, { once: true });
      this.from.on('end', this.#onEnd).on('close', this.#onClose).on('error', this.#fail);
      this.to.on('drain', this.#onDrain).on('error', this.#fail).on('close', this.#onTargetClose);
      if (head && head.length > 0) this.#onData(head);
      // The tap may have thrown: from here on nobody listens, and nothing may be read.
      if (this.#settled) return;
      if (this.#ended) return this.#onEnd();
      this.from.on('data', this.#onData);
      if (!this.#held && !this.to.writableNeedDrain) this.from.resume();
      else this.from.pause();
    });
  }

  /** A stream that was destroyed before the relay began will never say so again. */
  #gone(head: Buffer | undefined): boolean {
    const nothingToPass = this.#ended && !head?.length;
    return (this.from.destroyed && !this.#ended) || (this.to.destroyed && !(this.to.writableFinished && nothingToPass));
  }

  readonly #onData = (chunk: Buffer): void => {
    try {
      const answer = this.tap?.(chunk);
      if (!(answer instanceof Promise)) return this.#pass(answer ?? chunk);
      this.#held = true;
      this.from.pause();
      answer.then((replaced) => this.#release(chunk, replaced)).catch(this.#fail);
    } catch (cause) {
      this.#fail(cause);
    }
  };

  /** Forwards a chunk, or what the tap put in its place. */
  #pass(chunk: Buffer): void {
    // `chunk => seen.push(chunk)` answers a number: better an error than a stream with a hole.
    if (!(chunk instanceof Uint8Array)) throw new TypeError('a tap answers nothing or a buffer');
    if (chunk.length > 0 && !this.to.write(chunk)) this.from.pause();
  }

  #release(chunk: Buffer, replaced: Tapped): void {
    this.#held = false;
    if (this.#settled) return;
    this.#pass(replaced ?? chunk);
    if (this.#ended) this.#close();
    else if (!this.to.writableNeedDrain) this.from.resume();
  }

  #close(): void {
    // The types hide it, but the callback is told when the end could not be written.
    this.to.end((cause?: Error | null) => {
      if (cause && !this.to.writableFinished) this.#fail(cause);
      else this.#finish();
    });
  }

  readonly #onEnd = (): void => {
    this.#ended = true;
    if (!this.#held) this.#close();
  };

  readonly #onDrain = (): void => {
    if (!this.#held) this.from.resume();
  };

  readonly #onClose = (): void => {
    if (!this.#ended) this.#fail(new PosternError('aborted', 'a side of the relay was closed before its end'));
  };

  readonly #onTargetClose = (): void => {
    if (this.to.writableFinished) this.#finish();
    else this.#fail(new PosternError('aborted', 'a side of the relay went away'));
  };

  readonly #onStop = (): void => {
    this.#fail(new PosternError('aborted', 'the relay was stopped'));
  };

  readonly #fail = (cause: unknown): void => {
    if (!this.#finish(cause)) return;
    this.from.pause();
    this.stop.abort();
  };

  /** Settles once, and takes every listener back. Returns false when it had settled before. */
  #finish(cause?: unknown): boolean {
    if (this.#settled) return false;
    this.#settled = true;
    const { from, to } = this;
    from.off('data', this.#onData).off('end', this.#onEnd).off('close', this.#onClose).off('error', this.#fail);
    to.off('drain', this.#onDrain).off('error', this.#fail).off('close', this.#onTargetClose);
    this.stop.signal.removeEventListener('abort', this.#onStop);
    if (cause === undefined) this.#resolve();
    else this.#reject(cause instanceof Error ? cause : new PosternError('aborted', 'the relay failed', { cause }));
    return true;
  }
}
