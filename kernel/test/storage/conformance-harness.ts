import type { Change, Store } from '../../src/storage/index.js';

/** A store of the backend under test, empty at first, and what the tests do to it from outside. */
export interface StoreHarness extends AsyncDisposable {
  readonly store: Store;
  /** The time by which the store expires entries. */
  now(): Date;
  /** Lets time pass, or waits. */
  advance(milliseconds: number): Promise<void>;
  /** Resolves once whatever has expired is deleted, and the feed says so. */
  sweep(): Promise<void>;
  /** True where {@link advance} costs nothing and is exact. */
  readonly virtualTime: boolean;
  /** Makes the store forget all changes up to now. */
  compact(): Promise<void>;
  /** Closes the store and opens the same data again. */
  reopen(): Promise<Store>;
}

export type OpenHarness = () => Promise<StoreHarness>;

/** Lends one harness to test after test, emptied in between; makes another where a test has closed its store. */
export class Lent implements AsyncDisposable {
  #harness: StoreHarness | undefined;

  constructor(private readonly make: OpenHarness) {}

  async open(): Promise<StoreHarness> {
    const harness = (this.#harness = await this.#usable());
    return {
      get store() {
        return harness.store;
      },
      virtualTime: harness.virtualTime,
      now: () => harness.now(),
      advance: (milliseconds) => harness.advance(milliseconds),
      sweep: () => harness.sweep(),
      compact: () => harness.compact(),
      reopen: () => harness.reopen(),
      [Symbol.asyncDispose]: async () => {},
    };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#harness?.[Symbol.asyncDispose]();
  }

  async #usable(): Promise<StoreHarness> {
    const harness = this.#harness;
    if (!harness) return this.make();
    try {
      await harness.sweep();
      for (;;) {
        const keys = (await harness.store.range('', { limit: 100 })).map(({ key }) => key);
        if (keys.length === 0) break;
        await harness.store.commit({ delete: keys });
      }
      await harness.compact();
      return harness;
    } catch {
      await harness[Symbol.asyncDispose]();
      return this.make();
    }
  }
}

/** What not every store has. */
export interface StoreTraits {
  /** Data that outlives the store: {@link StoreHarness.reopen} works. */
  readonly persistent: boolean;
  /** Each request takes a round trip: of what is repeated, less is. */
  readonly remote?: boolean;
}

/** The first `count` batches of a feed. */
export async function take(feed: AsyncIterable<readonly Change[]>, count: number): Promise<(readonly Change[])[]> {
  const batches: (readonly Change[])[] = [];
  for await (const batch of feed) if (batches.push(batch) === count) break;
  return batches;
}

/** A change in one line: `put key=value@revision` or `delete key@revision`. */
export const show = (change: Change): string =>
  change.kind === 'put'
    ? `put ${change.entry.key}=${change.entry.value}@${change.revision}`
    : `delete ${change.key}@${change.revision}`;

/** Changes of one commit have no order among themselves. */
export const showBatch = (batch: readonly Change[]): readonly string[] => batch.map(show).sort();
