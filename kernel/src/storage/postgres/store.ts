import { setTimeout as sleep } from 'node:timers/promises';
import type { Pool } from 'pg';
import { PosternError } from '@postern/plugin-sdk';
import { Admission } from '../admission.js';
import { checkCommit, checkKey, checkLimit, checkPrefix, checkRevision } from '../limits.js';
import { Outage, type StorageHealth } from '../outage.js';
import type { Snapshot } from '../snapshot.js';
import type { Change, Commit, Entry, RangeOptions, Store } from '../store.js';
import { Watchers } from '../watchers.js';
import { failure, openPool } from './connection.js';
import type { PostgresOptions } from './options.js';
import { postgresSnapshot } from './snapshot.js';
import { migrate } from './schema.js';
import { PostgresTables, type FeedPage } from './tables.js';
import { Tail } from './tail.js';

/** How long a watcher waits before it asks a server again that did not answer. */
const retryMs = 250;

/**
 * The cluster's state in PostgreSQL 12 or later, for several Auth Services. Every
 * write locks one row, so that revisions are seen in their order; a commit is one
 * round trip. The time is that of this process: clocks must agree, as they must
 * for certificates.
 */
export class PostgresStore implements Store {
  readonly patienceMs: number;
  readonly #pool: Pool;
  readonly #tables: PostgresTables;
  readonly #now: () => Date;
  readonly #watchers = new Watchers();
  readonly #admission = new Admission();
  readonly #outage: Outage;
  readonly #tail: Tail;
  readonly #keeper: NodeJS.Timeout;
  #keeping: Promise<unknown> | undefined;
  #open = true;

  private constructor(pool: Pool, options: PostgresOptions, head: FeedPage['head']) {
    this.#pool = pool;
    this.#tables = new PostgresTables(options.schema);
    this.#now = options.now ?? (() => new Date());
    this.patienceMs = options.patienceMs ?? 120_000;
    this.#outage = new Outage(this.patienceMs);
    const shared = { tables: this.#tables, queries: pool, watchers: this.#watchers, outage: this.#outage, head };
    this.#tail = new Tail({ ...options, ...shared });
    this.#keeper = setInterval(() => this.#keep(options), options.sweepIntervalMs ?? 1_000).unref();
  }

  /**
   * Creates the tables where there are none, unless they should be `existing`.
   * Rejects with `unavailable` where the server does not let us in, or a newer
   * program wrote the tables.
   */
  static async open(options: PostgresOptions): Promise<PostgresStore> {
    const where = `${options.host}:${options.port}/${options.database}`;
    const pool = openPool(options);
    try {
      const client = await pool.connect();
      try {
        await migrate(client, options.schema, options.existing);
      } finally {
        client.release();
      }
      return new PostgresStore(pool, options, await new PostgresTables(options.schema).head(pool));
    } catch (cause) {
      await pool.end();
      throw failure(`cannot open the storage at ${where}`, cause);
    }
  }

  /** Whether the server has answered lately. */
  get health(): StorageHealth {
    return this.#outage.health;
  }

  async snapshot(): Promise<Snapshot> {
    this.#assertOpen();
    return postgresSnapshot(this.#pool, this.#tables, this.#now());
  }

  async get(key: string): Promise<Entry | undefined> {
    checkKey(key);
    return this.#read(() => this.#tables.get(this.#pool, key, this.#now().getTime()));
  }

  async range(prefix: string, options: RangeOptions = {}): Promise<readonly Entry[]> {
    checkPrefix(prefix);
    if (options.after !== undefined) checkPrefix(options.after);
    if (options.limit !== undefined) checkLimit(options.limit);
    return this.#read(() => this.#tables.range(this.#pool, prefix, options, this.#now().getTime()));
  }

  async commit(commit: Commit): Promise<number> {
    const bytes = checkCommit(commit);
    this.#assertOpen();
    const applied = await this.#admission.run(bytes, () =>
      this.#tables.apply(this.#pool, commit, this.#now().getTime()),
    );
    if ('revision' in applied) return applied.revision;
    const { conflict, actual } = applied;
    const state = actual === 0 ? 'does not exist' : `is at revision ${actual}`;
    throw new PosternError('conflict', `key ${JSON.stringify(conflict)} ${state}; the commit expected otherwise`);
  }

  async *watch(prefix: string, since: number, signal: AbortSignal): AsyncGenerator<readonly Change[], void, undefined> {
    checkPrefix(prefix);
    checkRevision(since);
    let cursor = since;
    while (!signal.aborted) {
      this.#assertOpen();
      const reached = this.#tail.revision;
      const page = await this.#pageOf(prefix, cursor, signal);
      if (!page) continue;
      for (const batch of page.batches) {
        if (signal.aborted) return;
        cursor = batch[0]?.revision ?? cursor;
        yield batch;
      }
      if (page.batches.length > 0) continue;
      cursor = page.head.revision;
      // What came while the page was read has woken nobody yet who would wait from now on.
      if (this.#tail.revision === reached && reached <= cursor) {
        this.#assertOpen();
        cursor = Math.max(cursor, await this.#watchers.wait(prefix, cursor, signal));
      }
    }
  }

  async revision(): Promise<number> {
    return (await this.#read(() => this.#tables.head(this.#pool))).revision;
  }

  /** Deletes every expired entry, which emits its change. Runs by itself; resolves with how many there were. */
  async sweep(): Promise<number> {
    let total = 0;
    while (this.#open) {
      const swept = await this.#tables.sweep(this.#pool, this.#now().getTime());
      if (swept === 0) break;
      total += swept;
    }
    return total;
  }

  /** Forgets the change feed up to now: watchers that lag behind expire. Runs by itself, up to what is to be kept. */
  async compact(): Promise<void> {
    this.#assertOpen();
    await this.#tail.look();
    await this.#tables.compact(this.#pool, this.#tail.revision);
  }

  /** Waits for what was submitted, ends the watchers with `unavailable`, and closes the connections. */
  async [Symbol.asyncDispose](): Promise<void> {
    if (!this.#open) return;
    this.#open = false;
    clearInterval(this.#keeper);
    this.#watchers.wakeAll();
    await this.#keeping;
    await this.#tail[Symbol.asyncDispose]();
    await this.#pool.end();
  }

  /** A page of the feed; undefined where the server did not answer, and may yet. */
  async #pageOf(prefix: string, cursor: number, signal: AbortSignal): Promise<FeedPage | undefined> {
    let page: FeedPage;
    try {
      page = await this.#tables.changes(this.#pool, prefix, cursor);
      this.#outage.over();
    } catch (cause) {
      this.#assertOpen();
      this.#outage.goesOn(cause);
      await sleep(retryMs, undefined, { signal, ref: false }).catch(() => {});
      return undefined;
    }
    const { revision, compacted } = page.head;
    if (cursor < compacted || cursor > revision)
      throw new PosternError(
        'expired',
        `the changes after ${cursor} are gone: only ${compacted} to ${revision} are kept`,
      );
    return page;
  }

  /** A read that met a connection which the server had closed is tried once more, on another. */
  async #read<T>(read: () => Promise<T>): Promise<T> {
    this.#assertOpen();
    return this.#admission.run(0, async () => {
      const began = performance.now();
      try {
        return await read();
      } catch (cause) {
        if (!this.#open || performance.now() - began > retryMs) throw cause;
        return await read();
      }
    });
  }

  #keep({ keepRevisions = 10_000, keepBytes = 64 * 1024 * 1024, log }: PostgresOptions): void {
    this.#keeping ??= this.sweep()
      .then(() => this.#tables.shorten(this.#pool, keepRevisions, keepBytes))
      .catch((cause: unknown) => {
        if (this.#open) log?.error('cannot sweep expired entries', { cause });
      })
      .finally(() => (this.#keeping = undefined));
  }

  #assertOpen(): void {
    if (!this.#open) throw new PosternError('unavailable', 'the store is closed');
  }
}
