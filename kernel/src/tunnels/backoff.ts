import { randomInt } from 'node:crypto';

/** How long to wait before the next attempt: doubles up to a limit, each time somewhere between half and all of it. */
export class Backoff {
  #next: number;

  constructor(
    private readonly firstMs = 1000,
    private readonly maxMs = 8000,
  ) {
    this.#next = firstMs;
  }

  /** Milliseconds. */
  next(): number {
    const whole = this.#next;
    this.#next = Math.min(this.maxMs, whole * 2);
    return randomInt(Math.ceil(whole / 2), whole + 1);
  }

  /** An attempt succeeded. */
  reset(): void {
    this.#next = this.firstMs;
  }
}
