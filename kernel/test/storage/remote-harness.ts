import type { Store } from '../../src/storage/store.js';
import type { StoreHarness } from './conformance.js';
import { ManualClock } from './sqlite-harness.js';

/** What tests do to a store on a server, beside what everybody does. */
interface RemoteStore extends Store {
  sweep(): Promise<unknown>;
  compact(): Promise<unknown>;
}

/** A part of its own of a server that many tests share. */
export class RemoteHarness<S extends RemoteStore, O> implements StoreHarness {
  readonly virtualTime = true;

  private constructor(
    private current: S,
    private readonly connect: (more: Partial<O>) => Promise<S>,
    private readonly clock: ManualClock,
  ) {}

  /** `connect` makes a client of the same part each time, with some options of its own. */
  static async open<S extends RemoteStore, O>(
    connect: (now: () => Date) => (more: Partial<O>) => Promise<S>,
  ): Promise<RemoteHarness<S, O>> {
    const clock = new ManualClock();
    const client = connect(clock.now);
    return new RemoteHarness(await client({}), client, clock);
  }

  get store(): S {
    return this.current;
  }

  now(): Date {
    return this.clock.now();
  }

  async advance(milliseconds: number): Promise<void> {
    this.clock.advance(milliseconds);
  }

  async sweep(): Promise<void> {
    await this.current.sweep();
  }

  /** Another client of the same state, as another Auth Service is. */
  another(more: Partial<O> = {}): Promise<S> {
    return this.connect(more);
  }

  async reopen(): Promise<S> {
    await this.current[Symbol.asyncDispose]();
    return (this.current = await this.connect({}));
  }

  async compact(): Promise<void> {
    await this.current.compact();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.current[Symbol.asyncDispose]();
  }
}
