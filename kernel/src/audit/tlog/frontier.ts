import { emptyRoot, nodeHash } from './merkle.js';

/**
 * The right edge of a growing tree: the roots of its perfect subtrees, largest
 * first. Enough to append and to name the root, in log2(size) hashes of memory.
 */
export class Frontier {
  #size = 0;
  readonly #peaks: { readonly height: number; readonly hash: Buffer }[] = [];

  /** How many leaves the tree has. */
  get size(): number {
    return this.#size;
  }

  /**
   * Appends a perfect subtree of 2^`height` leaves by its root; height 0 is one
   * leaf hash. The size so far must be a multiple of the subtree's.
   */
  push(hash: Buffer, height = 0): void {
    const width = 2 ** height;
    if (this.#size % width !== 0) throw new RangeError(`a subtree of ${width} leaves cannot follow ${this.#size}`);
    let peak = { height, hash };
    for (let last = this.#peaks.at(-1); last?.height === peak.height; last = this.#peaks.at(-1)) {
      this.#peaks.pop();
      peak = { height: peak.height + 1, hash: nodeHash(last.hash, peak.hash) };
    }
    this.#peaks.push(peak);
    this.#size += width;
  }

  /** The Merkle tree hash of all leaves so far: RFC 6962 section 2.1. */
  root(): Buffer {
    const last = this.#peaks.at(-1);
    if (!last) return emptyRoot();
    return this.#peaks.slice(0, -1).reduceRight((right, peak) => nodeHash(peak.hash, right), last.hash);
  }
}
