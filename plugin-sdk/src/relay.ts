import type { Duplex } from 'node:stream';
import { RelayDirection } from './relay-direction.js';

/** What a tap may answer: nothing (forward the chunk as it is) or what to forward instead. */
export type Tapped = void | Buffer;

/**
 * Sees each chunk before it is forwarded, in order, one at a time. It returns
 * nothing, so that the chunk goes on in the same tick, or a promise, which
 * holds this direction until it settles (a policy decision, a full audit
 * queue). Frames may begin and end anywhere: a tap keeps its own position, and
 * a copy of what it needs after it returns. Throwing ends the relay.
 */
export type Tap = (chunk: Buffer) => Tapped | Promise<Tapped>;

export interface RelayOptions {
  readonly fromClient?: Tap;
  readonly fromUpstream?: Tap;
  /** Bytes that were read before the relay began; they go through the tap first. */
  readonly head?: { readonly client?: Buffer; readonly upstream?: Buffer };
  /** Stops both directions; the relay then rejects with `aborted`. The streams are left to the caller. */
  readonly signal?: AbortSignal;
}

/**
 * Relays both directions until both have ended: an end on one side is passed on
 * as an end to the other, so that half-closed conversations finish, and a
 * destroyed side ends both. Forwards the buffers that it received, whole, and
 * stops reading while the other side is slow or a tap holds. Resolves when
 * everything was written; rejects with the first failure.
 */
export async function relay(client: Duplex, upstream: Duplex, options: RelayOptions = {}): Promise<void> {
  const stop = new AbortController();
  const cancel = (): void => stop.abort();
  options.signal?.addEventListener('abort', cancel, { once: true });
  if (options.signal?.aborted) cancel();
  try {
    await Promise.all([
      new RelayDirection(client, upstream, options.fromClient, stop).run(options.head?.client),
      new RelayDirection(upstream, client, options.fromUpstream, stop).run(options.head?.upstream),
    ]);
  } finally {
    options.signal?.removeEventListener('abort', cancel);
  }
}
