import { PosternError } from '@postern/plugin-sdk';

/** Whether a backend can be used, as health checks tell it. */
export interface StorageHealth {
  readonly ready: boolean;
  readonly reason?: string | undefined;
}

/**
 * How long a backend on another machine has been out of reach. For a while,
 * those who follow it go on with what they know; after that they must not.
 */
export class Outage {
  #since: number | undefined;
  #reason = '';

  constructor(private readonly patienceMs: number) {}

  get health(): StorageHealth {
    return this.#since === undefined ? { ready: true } : { ready: false, reason: this.#reason };
  }

  /** The backend has answered. */
  over(): void {
    this.#since = undefined;
  }

  /** The backend has not answered. Throws `unavailable` where that has lasted too long. */
  goesOn(cause: unknown): void {
    this.#reason = cause instanceof Error ? cause.message : String(cause);
    this.#since ??= performance.now();
    const lasted = performance.now() - this.#since;
    if (lasted < this.patienceMs) return;
    const seconds = Math.round(lasted / 1000);
    throw new PosternError('unavailable', `the storage has been out of reach for ${seconds} s: ${this.#reason}`, {
      cause,
    });
  }
}
