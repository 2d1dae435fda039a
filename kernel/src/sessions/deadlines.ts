import type { Denial } from '@postern/plugin-sdk';

export interface DeadlineOptions {
  /** When the session must end; never, where absent. */
  readonly end: Date | undefined;
  /** Ends a session in which nothing was sent for this long. */
  readonly idleMs: number | undefined;
  /** Bytes so far, both ways. */
  traffic(): number;
  readonly now: () => Date;
  cut(denial: Denial): void;
}

/** Timers are 32 bits wide; a later end is looked at again when this has passed. */
const longestTimerMs = 2 ** 31 - 1;

/** Ends a session at its deadline or when it has been idle for too long. Off the data path: it looks at counters. */
export class Deadlines implements Disposable {
  #endTimer: NodeJS.Timeout | undefined;
  #idleTimer: NodeJS.Timeout | undefined;
  #seen = -1;
  #seenAt: number;

  constructor(private readonly options: DeadlineOptions) {
    this.#seenAt = options.now().getTime();
    this.#waitForEnd();
    if (options.idleMs !== undefined)
      this.#idleTimer = setInterval(() => this.#checkIdle(), Math.max(50, options.idleMs / 8)).unref();
  }

  [Symbol.dispose](): void {
    clearTimeout(this.#endTimer);
    clearInterval(this.#idleTimer);
  }

  #waitForEnd(): void {
    const { end, now } = this.options;
    if (!end) return;
    const left = end.getTime() - now().getTime();
    if (left <= 0)
      return this.options.cut({
        code: 'expired',
        message: `the session ended at ${end.toISOString()}; log in again: psh login`,
      });
    this.#endTimer = setTimeout(() => this.#waitForEnd(), Math.min(left, longestTimerMs)).unref();
  }

  #checkIdle(): void {
    const { idleMs = Infinity, now } = this.options;
    const seen = this.options.traffic();
    if (seen !== this.#seen) {
      this.#seen = seen;
      this.#seenAt = now().getTime();
    } else if (now().getTime() - this.#seenAt >= idleMs) {
      clearInterval(this.#idleTimer);
      this.options.cut({ code: 'expired', message: `nothing was sent for ${Math.round(idleMs / 1000)} seconds` });
    }
  }
}
