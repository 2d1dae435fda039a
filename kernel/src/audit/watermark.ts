import { Bell } from './bell.js';

/** A number that only rises, and whoever waits for it to reach something. */
export class Watermark {
  readonly #risen = new Bell();
  #closed = false;

  constructor(private reached: number) {}

  get value(): number {
    return this.reached;
  }

  raise(value: number): void {
    this.reached = Math.max(this.reached, value);
    this.#risen.ring();
  }

  /** Lets everybody go who still waits. */
  close(): void {
    this.#closed = true;
    this.#risen.ring();
  }

  /** Resolves once the value is at least this, and early when the signal aborts or it was closed. */
  async reach(value: number, signal?: AbortSignal): Promise<void> {
    while (this.reached < value && !this.#closed && !signal?.aborted) await this.#risen.wait(signal);
  }
}
