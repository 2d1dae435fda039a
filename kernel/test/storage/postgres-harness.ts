import { PostgresStore } from '../../src/storage/postgres/store.js';
import type { PostgresOptions } from '../../src/storage/postgres/options.js';
import type { StoreHarness } from './conformance.js';
import type { PostgresServer } from './postgres-server.js';
import { ManualClock } from './sqlite-harness.js';

let schemas = 0;

/** Sweeping is left to {@link PostgresHarness.sweep}, so that revisions are predictable. */
const never = 2 ** 31 - 1;

/** A schema of its own on a server that many tests share. */
export class PostgresHarness implements StoreHarness {
  readonly virtualTime = true;
  #store: PostgresStore;

  private constructor(
    store: PostgresStore,
    private readonly options: PostgresOptions,
    private readonly clock: ManualClock,
  ) {
    this.#store = store;
  }

  static async open(server: PostgresServer, more: Partial<PostgresOptions> = {}): Promise<PostgresHarness> {
    const clock = new ManualClock();
    const schema = `test_${schemas++}`;
    const options = { ...server.options, schema, now: clock.now, sweepIntervalMs: never, ...more };
    return new PostgresHarness(await PostgresStore.open(options), options, clock);
  }

  get store(): PostgresStore {
    return this.#store;
  }

  now(): Date {
    return this.clock.now();
  }

  async advance(milliseconds: number): Promise<void> {
    this.clock.advance(milliseconds);
  }

  async sweep(): Promise<void> {
    await this.#store.sweep();
  }

  /** Another client of the same state, as another Auth Service is. */
  another(more: Partial<PostgresOptions> = {}): Promise<PostgresStore> {
    return PostgresStore.open({ ...this.options, ...more });
  }

  async reopen(): Promise<PostgresStore> {
    await this.#store[Symbol.asyncDispose]();
    return (this.#store = await PostgresStore.open(this.options));
  }

  async compact(): Promise<void> {
    await this.#store.compact();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#store[Symbol.asyncDispose]();
  }
}
