import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { SqliteStore, type SqliteStoreOptions } from '../../src/storage/index.js';
import type { StoreHarness } from './conformance.js';

/** A directory that is gone when its test ends. */
export async function temporaryDirectory(): Promise<AsyncDisposable & { readonly path: string }> {
  const path = await mkdtemp(join(tmpdir(), 'postern-storage-'));
  return { path, [Symbol.asyncDispose]: () => rm(path, { recursive: true, force: true }) };
}

/** Sweeping is left to {@link SqliteHarness.sweep}, so that revisions are predictable. */
const never = 2 ** 31 - 1;

/** A clock that stands until it is moved. */
export class ManualClock {
  #time = Date.parse('2030-01-01T00:00:00Z');
  readonly now = (): Date => new Date(this.#time);

  advance(milliseconds: number): void {
    this.#time += milliseconds;
  }
}

/** SQLite under the conformance suite: a file in a directory of its own, or memory. */
export class SqliteHarness implements StoreHarness {
  readonly virtualTime = true;
  readonly #options: SqliteStoreOptions;
  readonly #clock: ManualClock;
  readonly #directory: AsyncDisposable | undefined;
  #store: SqliteStore;

  private constructor(
    store: SqliteStore,
    options: SqliteStoreOptions,
    clock: ManualClock,
    directory: AsyncDisposable | undefined,
  ) {
    this.#store = store;
    this.#options = options;
    this.#clock = clock;
    this.#directory = directory;
  }

  static async inMemory(): Promise<SqliteHarness> {
    const clock = new ManualClock();
    const options = { path: ':memory:', now: clock.now, sweepIntervalMs: never };
    return new SqliteHarness(await SqliteStore.open(options), options, clock, undefined);
  }

  static async inFile(): Promise<SqliteHarness> {
    const clock = new ManualClock();
    const directory = await temporaryDirectory();
    const options = { path: join(directory.path, 'state.db'), now: clock.now, sweepIntervalMs: never };
    return new SqliteHarness(await SqliteStore.open(options), options, clock, directory);
  }

  get store(): SqliteStore {
    return this.#store;
  }

  now(): Date {
    return this.#clock.now();
  }

  async advance(milliseconds: number): Promise<void> {
    this.#clock.advance(milliseconds);
  }

  async sweep(): Promise<void> {
    await this.#store.sweep();
  }

  async reopen(): Promise<SqliteStore> {
    await this.#store[Symbol.asyncDispose]();
    return (this.#store = await SqliteStore.open(this.#options));
  }

  async compact(): Promise<void> {
    await this.#store.compact();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#store[Symbol.asyncDispose]();
    await this.#directory?.[Symbol.asyncDispose]();
  }
}
