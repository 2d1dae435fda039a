import { randomInt } from 'node:crypto';
import { RateLimit } from './rate-limit.js';
import { limitKey } from './source-address.js';

/** The longest message from one connection to another, in bytes. */
export const maxSignalBytes = 4096;

export interface LiveConnection {
  /** 31 bits, not zero, unique among the live ones, and not to be guessed from another. */
  readonly id: number;
  /** Takes the messages from other connections. One listener; without one they are lost. */
  onSignal(listener: (payload: Buffer) => void): void;
  /** The connection is over: its id means nobody. */
  close(): void;
}

/**
 * The connections that were handed over and live, by id, so that a message
 * about one can come on another. Such messages are not authenticated: they are
 * bounded in size and number, and whoever gets one must find a proof inside.
 */
export class LiveConnections {
  readonly #live = new Map<number, ((payload: Buffer) => void) | undefined>();
  readonly #rate: RateLimit;

  constructor(options: { readonly now: () => Date; readonly signalsPerSecond?: number }) {
    this.#rate = new RateLimit(options.signalsPerSecond ?? 10, 1000, options.now);
  }

  get size(): number {
    return this.#live.size;
  }

  open(): LiveConnection {
    let id: number;
    do id = randomInt(1, 2 ** 31);
    while (this.#live.has(id));
    this.#live.set(id, undefined);
    return {
      id,
      onSignal: (listener) => {
        if (this.#live.has(id)) this.#live.set(id, listener);
      },
      close: () => this.#live.delete(id),
    };
  }

  /** `unknown` covers a connection that listens to nobody: who asks cannot tell the two apart. */
  signal(source: string, connection: number, payload: Buffer): 'delivered' | 'unknown' | 'too_many' | 'too_long' {
    if (payload.length > maxSignalBytes) return 'too_long';
    if (!this.#rate.take(limitKey(source))) return 'too_many';
    const listener = this.#live.get(connection);
    if (!listener) return 'unknown';
    listener(payload);
    return 'delivered';
  }
}
