import type { Entry } from './store.js';

/** Everything in a store as of one revision, whatever is written meanwhile. */
export interface Snapshot extends AsyncDisposable {
  readonly revision: number;
  /** All entries that have not expired, in key order, a page at a time. To be read once. */
  pages(): AsyncIterable<readonly Entry[]>;
}

/** How many entries a page has: the largest together take 64 MiB. */
export const snapshotPage = 64;
