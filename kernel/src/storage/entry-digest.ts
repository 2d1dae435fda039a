import { createHash } from 'node:crypto';
import type { Entry } from './store.js';

/** What two stores with the same entries agree on, whatever their revisions. */
export interface Digest {
  /** Entries that do not expire: of the others, some may be gone when the second store is read. */
  readonly entries: number;
  readonly expiring: number;
  /** Of keys and values of the entries that do not expire, in key order. */
  readonly sha256: string;
}

/** Reads entries in key order. */
export class EntryDigest {
  readonly #hash = createHash('sha256');
  #entries = 0;
  #expiring = 0;

  add({ key, value, expires }: Pick<Entry, 'key' | 'value' | 'expires'>): void {
    if (expires) {
      this.#expiring += 1;
      return;
    }
    this.#entries += 1;
    this.#hash.update(`${JSON.stringify([key, value])}\n`);
  }

  get result(): Digest {
    return { entries: this.#entries, expiring: this.#expiring, sha256: this.#hash.copy().digest('hex') };
  }
}

/** True where the second has all that the first has, save for what may have expired meanwhile. */
export const matches = (one: Digest, other: Digest): boolean =>
  one.entries === other.entries && one.sha256 === other.sha256 && other.expiring <= one.expiring;
