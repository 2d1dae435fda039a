import type { EtcdOptions } from '../../src/storage/etcd/options.js';
import { EtcdStore } from '../../src/storage/etcd/store.js';
import type { StoreHarness } from './conformance.js';
import type { EtcdServer } from './etcd-server.js';
import { ManualClock } from './sqlite-harness.js';

let prefixes = 0;

/** Keys of its own in an etcd that many tests share. Leases outlive the tests, so that revisions are predictable. */
export class EtcdHarness implements StoreHarness {
  readonly virtualTime = true;
  #store: EtcdStore;

  private constructor(
    store: EtcdStore,
    private readonly options: EtcdOptions,
    private readonly clock: ManualClock,
  ) {
    this.#store = store;
  }

  static async open(server: EtcdServer, more: Partial<EtcdOptions> = {}): Promise<EtcdHarness> {
    const clock = new ManualClock();
    const prefix = `test/${prefixes++}/`;
    const options = { endpoints: [server.endpoint], prefix, now: clock.now, leaseGraceSeconds: 3_600, ...more };
    return new EtcdHarness(await EtcdStore.open(options), options, clock);
  }

  get store(): EtcdStore {
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
  another(more: Partial<EtcdOptions> = {}): Promise<EtcdStore> {
    return EtcdStore.open({ ...this.options, ...more });
  }

  async reopen(): Promise<EtcdStore> {
    await this.#store[Symbol.asyncDispose]();
    return (this.#store = await EtcdStore.open(this.options));
  }

  async compact(): Promise<void> {
    await this.#store.compact();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#store[Symbol.asyncDispose]();
  }
}
