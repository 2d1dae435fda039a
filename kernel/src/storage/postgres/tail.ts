import pg from 'pg';
import type { Watchers } from '../watchers.js';
import type { Outage } from '../outage.js';
import { clientConfig } from './connection.js';
import type { PostgresOptions } from './options.js';
import type { Head, PostgresTables } from './tables.js';

export interface TailOptions extends PostgresOptions {
  readonly tables: PostgresTables;
  readonly queries: pg.Pool;
  readonly watchers: Watchers;
  readonly outage: Outage;
  readonly head: Head;
}

/**
 * Knows how far the feed reaches, and wakes watchers. A notification only makes
 * it look: what happened is read from the table, which is looked at now and then
 * in any case, since a notification is lost with the connection that it would
 * have come over.
 */
export class Tail implements AsyncDisposable {
  readonly #poll: NodeJS.Timeout;
  #revision: number;
  #looking: Promise<void> | undefined;
  #again = false;
  #open = true;
  #listener: pg.Client | undefined;
  #connecting: Promise<void> | undefined;

  constructor(private readonly options: TailOptions) {
    this.#revision = options.head.revision;
    this.#poll = setInterval(() => {
      void this.look();
      this.#listen();
    }, options.pollIntervalMs ?? 1_000).unref();
    this.#listen();
  }

  /** Watchers have been woken for everything up to here. */
  get revision(): number {
    return this.#revision;
  }

  /** Resolves when the table has been read after this call, or could not be. */
  async look(): Promise<void> {
    this.#again = true;
    this.#looking ??= this.#lookUntilDone().finally(() => (this.#looking = undefined));
    await this.#looking;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#open = false;
    clearInterval(this.#poll);
    await this.#connecting;
    await this.#listener?.end().catch(() => {});
    await this.#looking;
  }

  async #lookUntilDone(): Promise<void> {
    const { tables, queries, watchers, outage } = this.options;
    while (this.#again && this.#open) {
      this.#again = false;
      try {
        const since = this.#revision;
        const { revision, compacted, keys } = await tables.changedKeys(queries, since);
        outage.over();
        this.#revision = revision;
        // Of what is gone nobody knows what it concerned; and a revision that goes back is another life of the store.
        if (compacted > since || revision < since) watchers.wakeAll();
        else if (revision > since) watchers.changed(keys, revision);
        if (keys.length >= 1000) this.#again = true;
      } catch (cause) {
        this.#endure(cause);
      }
    }
  }

  /** Watchers find out by themselves whether the outage has lasted too long. */
  #endure(cause: unknown): void {
    try {
      this.options.outage.goesOn(cause);
    } catch {
      this.options.watchers.wakeAll();
    }
  }

  #listen(): void {
    if (this.#listener || this.#connecting || !this.#open) return;
    this.#connecting = this.#connect()
      .catch(() => {})
      .finally(() => (this.#connecting = undefined));
  }

  async #connect(): Promise<void> {
    const client = new pg.Client(clientConfig(this.options));
    const lost = (): void => {
      if (this.#listener === client) this.#listener = undefined;
    };
    client.on('error', lost);
    client.on('end', lost);
    client.on('notification', () => void this.look());
    try {
      await client.connect();
      await client.query(`LISTEN ${this.options.schema}`);
      this.#listener = client;
    } catch (cause) {
      await client.end().catch(() => {});
      throw cause;
    }
    await this.look();
  }
}
