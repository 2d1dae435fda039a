import { setImmediate as turn } from 'node:timers/promises';
import { PosternError, type Logger } from '@postern/plugin-sdk';
import { GroupCommit } from './group-commit.js';
import { checkCommit, checkKey, checkLimit, checkPrefix, checkRevision } from './limits.js';
import { backUp } from './sqlite-backup.js';
import { storageFailure } from './sqlite-driver.js';
import { openSqliteFile, type SqliteFile } from './sqlite-open.js';
import { SqliteTables } from './sqlite-tables.js';
import { type SqliteTransaction } from './sqlite-transaction.js';
import { SqliteWriter } from './sqlite-writer.js';
import type { StorageHealth } from './outage.js';
import type { Snapshot } from './snapshot.js';
import { sqliteSnapshot } from './sqlite-snapshot.js';
import type { Change, Commit, Entry, RangeOptions, Store } from './store.js';
import { Watchers } from './watchers.js';

export interface SqliteStoreOptions {
  /** The database file, or `:memory:` for a store that is gone when it is closed. */
  readonly path: string;
  readonly now?: () => Date;
  /** How many revisions of the change feed are kept, within {@link keepBytes}. Default 10,000. */
  readonly keepRevisions?: number;
  /** How many bytes of keys and values the change feed keeps. Default 64 MiB. */
  readonly keepBytes?: number;
  /** How often expired entries are swept. Default 1,000 ms. */
  readonly sweepIntervalMs?: number;
  /** Where a sweep that failed is reported; it is tried again at the next interval. */
  readonly log?: Pick<Logger, 'error'>;
}

/** A watcher that catches up lets others run after this many batches. */
const batchesPerTurn = 64;

/**
 * The embedded backend: one SQLite file (WAL, synchronous=FULL), one process.
 * An acknowledged commit survives the end of the process and of the machine.
 * Commits of one turn of the event loop share one fsync; SQLite's calls block.
 */
export class SqliteStore implements Store {
  readonly #file: SqliteFile;
  readonly #path: string;
  readonly #tables: SqliteTables;
  readonly #writer: SqliteWriter;
  readonly #now: () => Date;
  readonly #watchers = new Watchers();
  readonly #commits = new GroupCommit<Commit, number>((group) => this.#commitGroup(group));
  readonly #sweeper: NodeJS.Timeout;
  #open = true;

  private constructor(file: SqliteFile, options: SqliteStoreOptions) {
    this.#file = file;
    this.#path = options.path;
    this.#tables = new SqliteTables(file.database);
    this.#writer = new SqliteWriter(this.#tables, {
      revisions: options.keepRevisions ?? 10_000,
      bytes: options.keepBytes ?? 64 * 1024 * 1024,
    });
    this.#now = options.now ?? (() => new Date());
    this.#sweeper = setInterval(() => {
      this.sweep().catch((cause: unknown) => options.log?.error('cannot sweep expired entries', { cause }));
    }, options.sweepIntervalMs ?? 1_000).unref();
  }

  /**
   * Creates the file where there is none, 0600 in a directory of 0700. Rejects
   * with `unavailable` where somebody else has it open, where it is of a newer
   * program, or where it cannot be made durable; with `invalid_config` where
   * others could replace it or it is no store.
   */
  static async open(options: SqliteStoreOptions): Promise<SqliteStore> {
    const file = await openSqliteFile(options.path, options.now?.() ?? new Date());
    try {
      return new SqliteStore(file, options);
    } catch (cause) {
      file.close();
      throw storageFailure(`cannot open ${options.path}`, cause);
    }
  }

  /** A file is always there, or the process has ended. */
  get health(): StorageHealth {
    return { ready: true };
  }

  /** Of a store in a file: over a connection of its own. */
  async snapshot(): Promise<Snapshot> {
    this.#assertOpen();
    return sqliteSnapshot(this.#path, this.#now);
  }

  async get(key: string): Promise<Entry | undefined> {
    checkKey(key);
    return this.#read(() => this.#tables.get(key, this.#now().getTime()));
  }

  async range(prefix: string, options: RangeOptions = {}): Promise<readonly Entry[]> {
    checkPrefix(prefix);
    if (options.after !== undefined) checkPrefix(options.after);
    if (options.limit !== undefined) checkLimit(options.limit);
    return this.#read(() => this.#tables.range(prefix, options, this.#now().getTime()));
  }

  async commit(commit: Commit): Promise<number> {
    const bytes = checkCommit(commit);
    this.#assertOpen();
    return this.#commits.submit(commit, bytes);
  }

  async *watch(prefix: string, since: number, signal: AbortSignal): AsyncGenerator<readonly Change[], void, undefined> {
    checkPrefix(prefix);
    checkRevision(since);
    let cursor = since;
    for (let batches = 1; !signal.aborted;) {
      const changes = this.#changesAfter(cursor, prefix);
      const [first] = changes;
      if (first) {
        cursor = first.revision;
        yield changes;
        if (batches++ % batchesPerTurn === 0) await turn();
      } else {
        cursor = await this.#watchers.wait(prefix, this.#writer.head.revision, signal);
      }
    }
  }

  async revision(): Promise<number> {
    return this.#read(() => this.#tables.head().revision);
  }

  /** Deletes every expired entry, which emits its change. Runs by itself; resolves with how many there were. */
  async sweep(): Promise<number> {
    let total = 0;
    while (this.#open) {
      const swept = this.#write((transaction) => transaction.sweep());
      if (swept === 0) break;
      total += swept;
      await turn();
    }
    return total;
  }

  /** Forgets the change feed up to now: watchers that lag behind expire. Runs by itself, up to what is to be kept. */
  async compact(): Promise<void> {
    this.#assertOpen();
    this.#write((transaction) => transaction.compact());
  }

  /**
   * Writes a consistent copy to a new file, mode 0600. Rejects with
   * `already_exists` rather than replace one. A store that is opened from the
   * copy continues at revisions that this one cannot have given out.
   */
  async backup(path: string): Promise<void> {
    this.#assertOpen();
    await backUp(this.#file.database, path);
  }

  /** Commits what was submitted, ends the watchers with `unavailable`, and closes the file. */
  async [Symbol.asyncDispose](): Promise<void> {
    if (!this.#open) return;
    this.#commits.flush();
    this.#open = false;
    clearInterval(this.#sweeper);
    this.#watchers.wakeAll();
    this.#file.close();
  }

  #commitGroup(group: readonly Commit[]): readonly PromiseSettledResult<number>[] {
    return this.#write((transaction) =>
      group.map((commit) => {
        try {
          return { status: 'fulfilled', value: transaction.apply(commit) };
        } catch (reason) {
          // A conflict is this commit's own affair; whatever else fails, fails the transaction.
          if (!PosternError.is(reason)) throw reason;
          return { status: 'rejected', reason };
        }
      }),
    );
  }

  #changesAfter(cursor: number, prefix: string): readonly Change[] {
    this.#assertOpen();
    const { revision, compacted } = this.#writer.head;
    if (cursor < compacted || cursor > revision)
      throw new PosternError(
        'expired',
        `the changes after ${cursor} are gone: only ${compacted} to ${revision} are kept`,
      );
    return this.#read(() => this.#tables.changes(prefix, cursor));
  }

  #write<T>(work: (transaction: SqliteTransaction) => T): T {
    const { result, changed, head } = this.#writer.write(this.#now(), work);
    if (changed.length > 0) this.#watchers.changed(changed, head.revision);
    return result;
  }

  #read<T>(work: () => T): T {
    this.#assertOpen();
    try {
      return work();
    } catch (cause) {
      throw storageFailure('cannot read the store', cause);
    }
  }

  #assertOpen(): void {
    if (!this.#open) throw new PosternError('unavailable', 'the store is closed');
  }
}
