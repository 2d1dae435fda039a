import { createHash } from 'node:crypto';
import type { Entry } from './store.js';

/** What two stores with the same entries agree on, whatever their revisions. */
export interface Digest {
  /** Entries that do not expire: of the others, some may be gone when the second store is read. */
  readonly entries: number;
  /** Those that do, by their keys. */
  readonly expiring: ReadonlyMap<string, Expiring>;
  /** Of keys and values of the entries that do not expire, in key order. */
  readonly sha256: string;
}

export interface Expiring {
  readonly expires: Date;
  readonly sha256: string;
}

/** Reads entries in key order. */
export class EntryDigest {
  readonly #hash = createHash('sha256');
  readonly #expiring = new Map<string, Expiring>();
  #entries = 0;

  add({ key, value, expires }: Pick<Entry, 'key' | 'value' | 'expires'>): void {
    if (expires) {
      this.#expiring.set(key, { expires, sha256: createHash('sha256').update(value).digest('base64') });
      return;
    }
    this.#entries += 1;
    this.#hash.update(`${JSON.stringify([key, value])}\n`);
  }

  get result(): Digest {
    return { entries: this.#entries, expiring: new Map(this.#expiring), sha256: this.#hash.copy().digest('hex') };
  }
}

/** True where the second has what the first has and nothing else, save for what has expired by now. */
export function matches(one: Digest, other: Digest, now = new Date()): boolean {
  if (one.entries !== other.entries || one.sha256 !== other.sha256) return false;
  for (const [key, { expires, sha256 }] of one.expiring) {
    const found = other.expiring.get(key);
    const same = found ? found.sha256 === sha256 && found.expires.getTime() === expires.getTime() : expires <= now;
    if (!same) return false;
  }
  return [...other.expiring.keys()].every((key) => one.expiring.has(key));
}
