import { PosternError } from '@postern/plugin-sdk';
import { follow, type Entry, type Following, type Store } from '../storage/index.js';

export interface ReplicaTableOptions<T> {
  /** Everything below it belongs to the table; ends with a slash. */
  readonly prefix: string;
  /** Reads one value. Never throws: what cannot be read must come out as something that denies. */
  decode(key: string, value: unknown): T;
}

/** A part of the store, held in memory and kept up by the change feed. Keys are without the prefix. */
export class ReplicaTable<T> {
  #rows = new Map<string, T>();

  constructor(private readonly options: ReplicaTableOptions<T>) {}

  get rows(): ReadonlyMap<string, T> {
    return this.#rows;
  }

  /** Follows the store until the signal aborts; calls `changed` after the first snapshot and after each change. */
  async follow(store: Store, signal: AbortSignal, changed: () => void): Promise<void> {
    for await (const following of follow(store, this.options.prefix, signal)) {
      this.#apply(following);
      changed();
    }
    if (!signal.aborted) throw new PosternError('unavailable', `the change feed of ${this.options.prefix} ended`);
  }

  #apply(following: Following): void {
    if (following.kind === 'snapshot') {
      this.#rows = new Map(following.entries.map((entry) => this.#row(entry)));
      return;
    }
    // Replaced and not changed in place: whoever holds the old map sees one state of it.
    const rows = new Map(this.#rows);
    for (const change of following.changes) {
      if (change.kind === 'put') rows.set(...this.#row(change.entry));
      else rows.delete(this.#name(change.key));
    }
    this.#rows = rows;
  }

  #row({ key, value }: Entry): [string, T] {
    const name = this.#name(key);
    return [name, this.options.decode(name, parseJson(value))];
  }

  #name(key: string): string {
    return key.slice(this.options.prefix.length);
  }
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
}
