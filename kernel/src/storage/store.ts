/** One key with its value, as of the revision that wrote it. */
export interface Entry {
  readonly key: string;
  readonly value: string;
  /** The revision of the commit that wrote this value: what {@link Check} compares. */
  readonly revision: number;
  /** From this moment on the entry is gone, whether or not it has been swept. Milliseconds count. */
  readonly expires?: Date;
}

/** What happened to one key. An entry that expires shows up as a `delete`, when it is swept. */
export type Change =
  | { readonly kind: 'put'; readonly entry: Entry; readonly revision: number }
  | { readonly kind: 'delete'; readonly key: string; readonly revision: number };

/** Holds only while `key` is at exactly `revision`; 0 means that there is no such key. */
export interface Check {
  readonly key: string;
  readonly revision: number;
}

export interface Put {
  readonly key: string;
  readonly value: string;
  readonly expires?: Date;
}

/** One atomic transaction: either every check holds and every write happens, or nothing does. No key is written twice. */
export interface Commit {
  readonly check?: readonly Check[];
  readonly put?: readonly Put[];
  /** Keys that do not exist are no error. */
  readonly delete?: readonly string[];
}

export interface RangeOptions {
  /** Leaves out this key and everything before it: the last key of the page before. */
  readonly after?: string;
  /** At most this many entries; all of them when absent. */
  readonly limit?: number;
}

/**
 * The cluster's state: a key-value store with revisions, which every backend
 * implements alike.
 *
 * - Every commit that changes something has a revision of its own, greater than
 *   all before it and not necessarily by one. It is a safe integer.
 * - Keys are ordered by their UTF-8 bytes. `limits` says what a key, a value and
 *   a commit may be; what exceeds it is refused with `limit_exceeded`, what is
 *   malformed with `invalid_argument`, before anything is written. A key is not
 *   secret: it appears in error messages. A value never does.
 * - Reads see every commit that was acknowledged before they began, and never
 *   an entry that has expired.
 * - Every method rejects with `unavailable` when the backend fails. A commit
 *   that was rejected so has an unknown outcome, as with every database whose
 *   answer was lost: read again before you decide what it means.
 */
export interface Store extends AsyncDisposable {
  /** How long whoever follows the store waits for it when it is away. Absent: not at all. */
  readonly patienceMs?: number | undefined;

  get(key: string): Promise<Entry | undefined>;

  /** The entries whose keys begin with `prefix`, in key order. The empty prefix is every key. */
  range(prefix: string, options?: RangeOptions): Promise<readonly Entry[]>;

  /**
   * Resolves, once everything is durable, with the revision of this commit; with
   * the current one where there was nothing to change. Rejects with `conflict`
   * when a check does not hold.
   */
  commit(commit: Commit): Promise<number>;

  /**
   * Every change after the revision `since` to keys that begin with `prefix`:
   * in order, without gaps, one batch to a commit. Ends when the signal aborts.
   *
   * Rejects with `expired` when changes after `since` are no longer kept, or
   * `since` is from a future that this store has not seen (it was restored from
   * a copy): read again, then watch from there. A watcher that is slow costs no
   * memory; it may expire.
   */
  watch(prefix: string, since: number, signal: AbortSignal): AsyncIterable<readonly Change[]>;

  /** The newest revision there is: that of the newest commit, or a later one that nothing here has. */
  revision(): Promise<number>;
}
