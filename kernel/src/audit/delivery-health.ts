import type { PosternError } from '@postern/plugin-sdk';
import type { Spool } from './spool/index.js';

/** Whether events reach the sink, for health checks and for people. */
export interface DeliveryState {
  /** False where the spool has failed, or the sink has been out of reach for too long. */
  readonly ready: boolean;
  readonly reason?: string;
}

export interface Loss {
  /** The first failure after the last success. */
  readonly since: Date;
  readonly reason: string;
  readonly backlog: number;
}

export interface HealthOptions {
  readonly spool: Spool;
  readonly now: () => Date;
  readonly onLost?: (loss: Loss) => void;
  readonly onRestored?: (loss: Loss) => void;
}

/** Keeps account of a delivery's failures. */
export class DeliveryHealth {
  #since: Date | undefined;
  #reason = '';
  #lost = false;

  constructor(
    private readonly options: HealthOptions,
    private readonly lostAfterMs: number,
  ) {}

  state(): DeliveryState {
    const { failure } = this.options.spool;
    if (failure) return { ready: false, reason: failure.message };
    if (!this.#since) return { ready: true };
    return { ready: !this.#lost, reason: this.#reason };
  }

  failed(error: PosternError): void {
    const now = this.options.now();
    this.#since ??= now;
    this.#reason = `${error.code}: ${error.message}`;
    if (this.#lost) return;
    // Trying again does not help where the sink says that the number belongs to another event.
    if (error.code !== 'conflict' && now.getTime() - this.#since.getTime() < this.lostAfterMs) return;
    this.#lost = true;
    this.options.onLost?.(this.#loss(this.#since));
  }

  succeeded(): void {
    const since = this.#since;
    const lost = this.#lost;
    this.#since = undefined;
    this.#lost = false;
    if (since && lost) this.options.onRestored?.(this.#loss(since));
  }

  #loss(since: Date): Loss {
    return { since, reason: this.#reason, backlog: this.options.spool.backlog.events };
  }
}
