import { Frontier } from './frontier.js';
import { leafHash } from './merkle.js';
import type { TreeHead } from './proof-check.js';
import { readHashes } from './tile-files.js';
import { bundledEntry, tilePath, tileWidth } from './tile.js';

/** A file of the layout, to be written below the log's directory. */
export interface TileFile {
  readonly path: string;
  readonly bytes: Buffer;
}

/**
 * Grows a tree and produces its tiles and bundles. Holds the right edge only:
 * at most 255 hashes a level and the entries of one bundle, beside the full
 * tiles that nobody has taken yet.
 */
export class TileWriter {
  #size = 0;
  readonly #levels: Buffer[][] = [[]];
  #bundle: Buffer[] = [];
  #full: TileFile[] = [];
  #fullBytes = 0;

  /**
   * Goes on at the right edge of a tree whose tiles are on disk, with the
   * entries that its last bundle holds. `undefined` where a tile is missing;
   * the caller compares the root.
   */
  static async resume(directory: string, size: number, bundle: readonly Buffer[]): Promise<TileWriter | undefined> {
    const writer = new TileWriter();
    for (let level = 0, nodes = size; nodes > 0; level += 1, nodes = Math.floor(nodes / tileWidth)) {
      const width = nodes % tileWidth;
      const name = { level, index: Math.floor(nodes / tileWidth), width };
      const hashes = width === 0 ? [] : await readHashes(directory, name);
      if (!hashes) return undefined;
      writer.#levels[level] = [...hashes];
    }
    writer.#size = size;
    writer.#bundle = bundle.map(bundledEntry);
    return writer;
  }

  /** How many entries the tree has. */
  get size(): number {
    return this.#size;
  }

  /** The size and the root over it, put together from the right edge. */
  get head(): TreeHead {
    const frontier = new Frontier();
    for (const [level, hashes] of [...this.#levels.entries()].reverse())
      for (const hash of hashes) frontier.push(hash, 8 * level);
    return { size: this.#size, root: frontier.root() };
  }

  /** The hashes of the entries in the last, unfinished bundle. */
  get edge(): readonly Buffer[] {
    return this.#levels[0] ?? [];
  }

  /** How many bytes of full tiles and bundles wait for {@link takeFull}. */
  get fullBytes(): number {
    return this.#fullBytes;
  }

  /** Appends an entry. Throws `limit_exceeded` for one that does not fit a bundle. */
  push(entry: Buffer): void {
    const index = Math.floor(this.#size / tileWidth);
    this.#bundle.push(bundledEntry(entry));
    this.#size += 1;
    if (this.#bundle.length === tileWidth) {
      this.#complete(tilePath({ level: 'entries', index, width: tileWidth }), Buffer.concat(this.#bundle));
      this.#bundle = [];
    }
    this.#add(0, index, leafHash(entry));
  }

  /** The tiles and bundles that have become full since the last call. */
  takeFull(): TileFile[] {
    const full = this.#full;
    this.#full = [];
    this.#fullBytes = 0;
    return full;
  }

  /** The partial tiles and the partial bundle of the tree as it is now. */
  partials(): TileFile[] {
    const files = this.#levels.flatMap((hashes, level) => {
      const index = Math.floor(this.size / tileWidth ** (level + 1));
      if (hashes.length === 0) return [];
      return [{ path: tilePath({ level, index, width: hashes.length }), bytes: Buffer.concat(hashes) }];
    });
    if (this.#bundle.length === 0) return files;
    const name = { level: 'entries', index: Math.floor(this.size / tileWidth), width: this.#bundle.length } as const;
    return [...files, { path: tilePath(name), bytes: Buffer.concat(this.#bundle) }];
  }

  #add(level: number, index: number, hash: Buffer): void {
    const hashes = (this.#levels[level] ??= []);
    hashes.push(hash);
    if (hashes.length < tileWidth) return;
    this.#complete(tilePath({ level, index, width: tileWidth }), Buffer.concat(hashes));
    this.#levels[level] = [];
    const subtree = new Frontier();
    for (const node of hashes) subtree.push(node);
    this.#add(level + 1, Math.floor(index / tileWidth), subtree.root());
  }

  #complete(path: string, bytes: Buffer): void {
    this.#full.push({ path, bytes });
    this.#fullBytes += bytes.length;
  }
}
