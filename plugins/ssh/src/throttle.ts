import { Abuse } from './abuse.js';
import { channelOf } from './ssh2-internals.js';
import type { Transport } from './transport.js';

/** Programs and forwards stop far below this; beyond it the client provokes answers and reads none. */
const unsentBytes = 8 * 1024 * 1024;
/** What all channels together may hold of input that nobody reads. */
const unreadBytes = 64 * 1024 * 1024;
/** How many messages may pass between two looks at the channels: at most 32 kB each. */
const messagesBetweenLooks = 64;
/** What may wait for the end of a key exchange, which an honest client does not put off. */
const queuedMessages = 10_000;
const pollMs = 50;
const patienceMs = 30_000;

/**
 * Stops reading from a client that sends faster than its data can be put
 * anywhere, and gives up on one that stays so.
 */
export class Throttle {
  #messages = 0;
  #pausedAt: number | undefined;
  #poll: NodeJS.Timeout | undefined;

  constructor(
    private readonly transport: Transport,
    private readonly giveUp: (what: string) => void,
  ) {
    transport.over.addEventListener('abort', () => this.stop(), { once: true });
  }

  /** Called after each message. */
  check(): void {
    this.#messages += 1;
    if ((this.transport.inside._protocol._queue?.length ?? 0) > queuedMessages)
      throw new Abuse('the key exchange does not go on');
    if (this.#pausedAt !== undefined || !this.#overloaded(this.#messages % messagesBetweenLooks === 0)) return;
    this.#pausedAt = performance.now();
    this.transport.socket.pause();
    this.#poll = setInterval(() => this.#look(), pollMs);
    this.#poll.unref();
  }

  stop(): void {
    clearInterval(this.#poll);
  }

  #look(): void {
    if (this.#overloaded(true)) {
      if (performance.now() - (this.#pausedAt ?? 0) > patienceMs) this.giveUp('nobody reads what is sent');
      return;
    }
    clearInterval(this.#poll);
    this.#pausedAt = undefined;
    this.transport.socket.resume();
  }

  #overloaded(thoroughly: boolean): boolean {
    if (this.transport.socket.writableLength > unsentBytes) return true;
    return thoroughly && this.#unread() > unreadBytes;
  }

  #unread(): number {
    const { inside } = this.transport;
    let sum = 0;
    for (const id of Object.keys(inside._chanMgr._channels)) sum += channelOf(inside, Number(id))?.readableLength ?? 0;
    return sum;
  }
}
