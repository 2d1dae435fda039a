import { setTimeout as sleep } from 'node:timers/promises';
import { PosternError } from '@postern/plugin-sdk';
import { Admission } from '../admission.js';
import { checkCommit, checkKey, checkLimit, checkPrefix, checkRevision } from '../limits.js';
import { Outage, type StorageHealth } from '../outage.js';
import { snapshotPage, type Snapshot } from '../snapshot.js';
import type { Change, Commit, Entry, RangeOptions, Store } from '../store.js';
import { KeySpace } from './codec.js';
import { Commits, isLive } from './commits.js';
import { feed } from './feed.js';
import { EtcdError, Gateway } from './gateway.js';
import type { EtcdOptions } from './options.js';
import { pages, type RangeAnswer } from './pages.js';

const retryMs = 250;
const pageSize = 128;

/**
 * The cluster's state in etcd 3.4 or later, for several Auth Services. Revisions
 * are etcd's, which other users of the same etcd raise as well. Leases delete
 * what has expired; until then it is not seen any more by the time of this process.
 */
export class EtcdStore implements Store {
  readonly #gateway: Gateway;
  readonly #keys: KeySpace;
  readonly #commits: Commits;
  readonly #now: () => Date;
  readonly #admission = new Admission();
  readonly patienceMs: number;
  readonly #outage: Outage;
  readonly #closing = new AbortController();
  readonly #pulse: NodeJS.Timeout;
  /** Ends the streams that there are: a connection that hangs would not. */
  #streams = new AbortController();
  #beat: Promise<void> | undefined;
  #compacted = performance.now();
  #compactTo = 0;

  private constructor(
    gateway: Gateway,
    private readonly options: EtcdOptions,
  ) {
    this.#gateway = gateway;
    this.#keys = new KeySpace(options.prefix);
    this.#now = options.now ?? (() => new Date());
    this.patienceMs = options.patienceMs ?? 120_000;
    this.#outage = new Outage(this.patienceMs);
    const { leaseGraceSeconds = 2 } = options;
    this.#commits = new Commits({ gateway, keys: this.#keys, now: this.#now, leaseGraceSeconds });
    this.#pulse = setInterval(() => {
      this.#beat ??= this.#check().finally(() => (this.#beat = undefined));
    }, options.pulseMs ?? 2_000).unref();
  }

  /** Rejects with `unavailable` where etcd does not answer, or does not let us in. */
  static async open(options: EtcdOptions): Promise<EtcdStore> {
    const store = new EtcdStore(new Gateway(options), options);
    try {
      await store.revision();
      return store;
    } catch (cause) {
      await store[Symbol.asyncDispose]();
      const reason = cause instanceof Error ? cause.message : String(cause);
      throw new PosternError('unavailable', `cannot open the storage: ${reason}`, { cause });
    }
  }

  /** Whether etcd has answered lately. */
  get health(): StorageHealth {
    return this.#outage.health;
  }

  async snapshot(): Promise<Snapshot> {
    const revision = await this.revision();
    const live = (entries: readonly Entry[]): readonly Entry[] => entries.filter((entry) => isLive(entry, this.#now()));
    const read = pages({ ...this.#reading, prefix: '', size: snapshotPage, at: revision });
    return {
      revision,
      async *pages() {
        for await (const { entries } of read) yield live(entries);
      },
      async [Symbol.asyncDispose]() {
        await read.return();
      },
    };
  }

  async get(key: string): Promise<Entry | undefined> {
    checkKey(key);
    const { kvs = [] } = await this.#read({ key: this.#keys.key(key) });
    const [entry] = kvs.map((kv) => this.#keys.entry(kv));
    return entry && isLive(entry, this.#now()) ? entry : undefined;
  }

  async range(prefix: string, options: RangeOptions = {}): Promise<readonly Entry[]> {
    checkPrefix(prefix);
    if (options.after !== undefined) checkPrefix(options.after);
    if (options.limit !== undefined) checkLimit(options.limit);
    this.#assertOpen();
    return this.#admission.run(0, async () => {
      for (let attempt = 1; ; attempt++)
        try {
          return await this.#range(prefix, options);
        } catch (cause) {
          if (attempt === 3 || !PosternError.is(cause) || cause.code !== 'expired') throw failure(cause);
        }
    });
  }

  async commit(commit: Commit): Promise<number> {
    const bytes = checkCommit(commit);
    this.#assertOpen();
    if (!commit.check?.length && !commit.put?.length && !commit.delete?.length) return this.revision();
    try {
      return await this.#admission.run(bytes, () => this.#commits.apply(commit));
    } catch (cause) {
      throw failure(cause);
    }
  }

  async *watch(prefix: string, since: number, signal: AbortSignal): AsyncGenerator<readonly Change[], void, undefined> {
    checkPrefix(prefix);
    checkRevision(since);
    // Besides that of all: others may be answered where this one is told nothing.
    const at = { cursor: since, outage: new Outage(this.patienceMs) };
    while (!signal.aborted) {
      this.#assertOpen();
      const { signal: streams } = this.#streams;
      // A proxy may keep a stream open that has lost its other end. Whoever begins anew is told what was missed.
      const aging = new AbortController();
      const { signal: aged } = aging;
      try {
        yield* this.#watchOnce(prefix, at, AbortSignal.any([signal, this.#closing.signal, streams, aged]), aging);
      } catch (cause) {
        if (signal.aborted) return;
        this.#assertOpen();
        if (PosternError.is(cause) && cause.code !== 'unavailable') throw cause;
        if (!aged.aborted) at.outage.goesOn(cause);
        if (!aged.aborted && !streams.aborted) this.#outage.goesOn(cause);
      }
      if (aged.aborted) continue;
      await sleep(retryMs, undefined, { signal, ref: false }).catch(() => {});
    }
  }

  /** That of etcd, which is 1 before anything was written. */
  async revision(): Promise<number> {
    const { header } = await this.#read({ key: this.#keys.key(' '), count_only: true });
    return Number(header.revision);
  }

  /** Deletes every expired entry, without waiting for its lease. Resolves with how many there were. */
  async sweep(): Promise<number> {
    let total = 0;
    for await (const { entries } of pages({ ...this.#reading, prefix: '', size: pageSize })) {
      const overdue = entries.filter((entry) => !isLive(entry, this.#now()));
      if (overdue.length === 0) continue;
      // What was written again meanwhile stays: then the others wait for their leases, or the next sweep.
      const compare = overdue.map(({ key, revision }) => ({
        ...{ target: 'MOD', result: 'EQUAL', key: this.#keys.key(key) },
        mod_revision: String(revision),
      }));
      const success = overdue.map(({ key }) => ({ request_delete_range: { key: this.#keys.key(key) } }));
      await this.#gateway.call('/v3/kv/txn', { compare, success });
      total += overdue.length;
    }
    return total;
  }

  /** Forgets the past of all of etcd up to now: watchers that lag behind expire. */
  async compact(revision?: number): Promise<void> {
    this.#assertOpen();
    const upTo = revision ?? (await this.revision());
    await this.#gateway.call('/v3/kv/compaction', { revision: String(upTo) }).catch((cause: unknown) => {
      // Another Auth Service was first.
      if (!(cause instanceof EtcdError) || !cause.outOfRange) throw failure(cause);
    });
  }

  /** Ends the watchers with `unavailable`, and closes the connections. */
  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#closing.signal.aborted) return;
    this.#closing.abort();
    clearInterval(this.#pulse);
    await this.#beat;
    this.#gateway.close();
  }

  get #reading() {
    return { gateway: this.#gateway, keys: this.#keys };
  }

  async #range(prefix: string, { after, limit = Infinity }: RangeOptions): Promise<readonly Entry[]> {
    const found: Entry[] = [];
    const now = this.#now();
    const size = Math.min(pageSize, limit);
    for await (const { entries } of pages({ ...this.#reading, prefix, after, size })) {
      for (const entry of entries) if (isLive(entry, now) && found.length < limit) found.push(entry);
      if (found.length >= limit) break;
    }
    return found;
  }

  /** Goes on from the cursor, and moves it, until the stream breaks; from when it has begun, it ages. */
  async *#watchOnce(
    prefix: string,
    at: { cursor: number; readonly outage: Outage },
    signal: AbortSignal,
    aging: AbortController,
  ): AsyncGenerator<readonly Change[], void, undefined> {
    let timer: NodeJS.Timeout | undefined;
    try {
      for await (const { revision, changes } of feed({ ...this.#reading, prefix, since: at.cursor, signal })) {
        timer ??= setTimeout(() => aging.abort(), this.patienceMs / 2).unref();
        if (signal.aborted) return;
        this.#outage.over();
        at.outage.over();
        at.cursor = Math.max(at.cursor, revision);
        if (changes.length > 0) yield changes;
      }
    } finally {
      clearTimeout(timer);
    }
  }

  async #read(request: object): Promise<RangeAnswer> {
    this.#assertOpen();
    return this.#admission
      .run(0, () => this.#gateway.call<RangeAnswer>('/v3/kv/range', request))
      .catch((cause) => {
        throw failure(cause);
      });
  }

  /** Asks etcd as a whole, and not one member alone, whether it is there; where not, every stream begins anew. */
  async #check(): Promise<void> {
    try {
      const revision = await this.revision();
      this.#outage.over();
      await this.#keepShort(revision);
    } catch (cause) {
      if (this.#closing.signal.aborted) return;
      this.#streams.abort();
      this.#streams = new AbortController();
      try {
        this.#outage.goesOn(cause);
      } catch {
        // Watchers say so themselves.
      }
    }
  }

  /** Compacts to where it was when it compacted last. */
  async #keepShort(revision: number): Promise<void> {
    const { keepMs, log } = this.options;
    if (keepMs === undefined || performance.now() - this.#compacted < keepMs) return;
    this.#compacted = performance.now();
    if (this.#compactTo > 0)
      await this.compact(this.#compactTo).catch((cause: unknown) => log?.error('cannot compact', { cause }));
    this.#compactTo = revision;
  }

  #assertOpen(): void {
    if (this.#closing.signal.aborted) throw new PosternError('unavailable', 'the store is closed');
  }
}

const failure = (cause: unknown): PosternError => {
  if (PosternError.is(cause)) return cause;
  const reason = cause instanceof Error ? cause.message : String(cause);
  return new PosternError('unavailable', `the storage refused: ${reason}`, { cause });
};
