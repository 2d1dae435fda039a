import type { Transport } from './transport.js';
import { message, WireWriter } from './wire.js';

/** More unanswered requests than this on one channel are an attack. */
const maximumPending = 128;

/** One channel request that waits for its answer. */
export interface Reply {
  readonly succeed: () => void;
  readonly fail: () => void;
}

interface Pending {
  readonly wanted: boolean;
  answer: boolean | undefined;
}

/**
 * Answers channel requests in the order in which they came (RFC 4254, section
 * 5.4), however long each decision takes. ssh2 answers at once or not at all,
 * so the guard takes the wish for a reply out of each request and leaves it
 * here; whoever handles the request claims it.
 */
export class RequestReplies {
  readonly #pending = new Map<number, Pending[]>();
  #unclaimed: (() => Reply) | undefined;

  constructor(
    private readonly transport: Transport,
    private readonly remoteOf: (channel: number) => number | undefined,
  ) {}

  /** Runs `handle` for a request on this channel; a request that nobody claims meanwhile fails. False at the limit. */
  during(channel: number, wanted: boolean, handle: () => unknown): boolean {
    const queue = this.#pending.get(channel) ?? [];
    this.#pending.set(channel, queue);
    if (queue.length >= maximumPending) return false;
    const entry: Pending = { wanted, answer: undefined };
    queue.push(entry);
    const settle = (answer: boolean): void => {
      entry.answer ??= answer;
      this.#flush(channel, queue);
    };
    this.#unclaimed = () => ({ succeed: () => settle(true), fail: () => settle(false) });
    try {
      handle();
    } finally {
      this.#unclaimed?.().fail();
      this.#unclaimed = undefined;
    }
    return true;
  }

  /** The reply to the request that is being handled right now. */
  claim(): Reply {
    const make = this.#unclaimed;
    this.#unclaimed = undefined;
    return make?.() ?? { succeed: () => {}, fail: () => {} };
  }

  forget(channel: number): void {
    this.#pending.delete(channel);
  }

  #flush(channel: number, queue: Pending[]): void {
    for (let entry = queue[0]; entry?.answer !== undefined; entry = queue[0]) {
      queue.shift();
      const remote = this.remoteOf(channel);
      if (!entry.wanted || remote === undefined || this.#pending.get(channel) !== queue) continue;
      const type = entry.answer ? message.channelSuccess : message.channelFailure;
      this.transport.send(new WireWriter().byte(type).uint32(remote).end());
    }
  }
}
