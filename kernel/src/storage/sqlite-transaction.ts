import { PosternError } from '@postern/plugin-sdk';
import type { Head, SqliteTables } from './sqlite-tables.js';
import type { Check, Commit, Put } from './store.js';

/** How much of the change feed is kept. */
export interface Retention {
  readonly revisions: number;
  readonly bytes: number;
}

/** How many of the longest overdue entries one transaction sweeps. */
const sweepBatch = 128;

/** What became of a transaction, true only once it is durable. */
export interface Finished {
  readonly head: Head;
  /** The size of the change feed. */
  readonly feedBytes: number;
  /** The keys that changed, for those who watch them. */
  readonly changed: readonly string[];
}

/**
 * The rules of the store inside one open SQLite transaction: any number of
 * commits and sweeps, each with a revision of its own. Made for one transaction
 * and dropped with it.
 */
export class SqliteTransaction {
  readonly #tables: SqliteTables;
  readonly #now: number;
  readonly #before: Head;
  readonly #changed: string[] = [];
  #head: Head;
  #feedBytes: number;

  /** `feedBytes` is the size of the feed before this transaction. */
  constructor(tables: SqliteTables, now: number, feedBytes: number) {
    this.#tables = tables;
    this.#now = now;
    this.#before = tables.head();
    this.#head = this.#before;
    this.#feedBytes = feedBytes;
  }

  /** Applies one commit. Throws `conflict` before it has written anything. Returns the revision. */
  apply({ check = [], put = [], delete: remove = [] }: Commit): number {
    for (const condition of check) this.#require(condition);
    const revision = this.#head.revision + 1;
    let position = 0;
    for (const key of remove) if (this.#tables.remove(key)) this.#record({ revision, position: position++ }, key);
    for (const write of put) {
      this.#tables.put(write, revision);
      this.#record({ revision, position: position++ }, write.key, write);
    }
    if (position > 0) this.#head = { ...this.#head, revision };
    return this.#head.revision;
  }

  /** Deletes entries that are due, as one commit. Returns how many; 0 means that none is left. */
  sweep(): number {
    const keys = this.#tables.expired(this.#now, sweepBatch);
    this.apply({ delete: keys });
    return keys.length;
  }

  /** Forgets the feed up to and with this revision; all of it when absent. */
  compact(upTo: number = this.#head.revision): void {
    if (upTo <= this.#head.compacted) return;
    this.#tables.forget(upTo);
    this.#feedBytes = this.#tables.feedBytes();
    this.#head = { ...this.#head, compacted: upTo };
  }

  /**
   * Shortens the feed to what is to be kept, once it is a tenth longer than that
   * (so that the work is rare), and writes the counters, where they changed.
   */
  finish(keep: Retention): Finished {
    const { revision, compacted } = this.#head;
    if (revision - compacted > keep.revisions * 1.1) this.compact(revision - keep.revisions);
    if (this.#feedBytes > keep.bytes * 1.1) this.compact(this.#tables.beyond(keep.bytes));
    if (this.#head !== this.#before) this.#tables.setHead(this.#head);
    return { head: this.#head, feedBytes: this.#feedBytes, changed: this.#changed };
  }

  #require({ key, revision }: Check): void {
    const found = this.#tables.get(key, this.#now)?.revision ?? 0;
    if (found === revision) return;
    const state = found === 0 ? 'does not exist' : `is at revision ${found}`;
    throw new PosternError('conflict', `key ${JSON.stringify(key)} ${state}; the commit expected ${revision}`);
  }

  #record(at: { readonly revision: number; readonly position: number }, key: string, put?: Put): void {
    this.#tables.record(at, key, put);
    this.#changed.push(key);
    this.#feedBytes += Buffer.byteLength(key) + (put ? Buffer.byteLength(put.value) : 0);
  }
}
