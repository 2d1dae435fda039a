import { PosternError } from '@postern/plugin-sdk';
import { Frontier, readHashes, tilePath, tileWidth } from '../tlog/index.js';
import type { Findings, ProblemKind } from './report.js';

interface Recomputed {
  readonly level: number;
  readonly index: number;
  readonly hashes: readonly Buffer[];
}

/** Recomputes the tiles above the leaves, from the roots of full bundles, and compares them with those on disk. */
export class UpperTiles {
  /** The hashes of the unfinished tile of each level from 1 on, and how many tiles are finished. */
  readonly #levels: ({ hashes: Buffer[]; finished: number } | undefined)[] = [];
  #full: Recomputed[] = [];

  constructor(
    private readonly directory: string,
    private readonly problems: Findings<ProblemKind>,
  ) {}

  /** Takes the root over a full bundle. */
  push(root: Buffer): void {
    this.#add(1, root);
  }

  /** Compares the tiles that have become full since the last call. */
  async compare(): Promise<void> {
    for (const tile of this.#full.splice(0)) await this.#compareOne(tile);
  }

  /** Compares the partial tiles at the right edge. */
  async finish(): Promise<void> {
    await this.compare();
    for (const [level, tile] of this.#levels.entries())
      if (tile && tile.hashes.length > 0) await this.#compareOne({ level, index: tile.finished, hashes: tile.hashes });
  }

  #add(level: number, hash: Buffer): void {
    const tile = (this.#levels[level] ??= { hashes: [], finished: 0 });
    tile.hashes.push(hash);
    if (tile.hashes.length < tileWidth) return;
    const { hashes, finished } = tile;
    this.#full.push({ level, index: finished, hashes });
    this.#levels[level] = { hashes: [], finished: finished + 1 };
    const subtree = new Frontier();
    for (const node of hashes) subtree.push(node);
    this.#add(level + 1, subtree.root());
  }

  async #compareOne({ level, index, hashes }: Recomputed): Promise<void> {
    const name = { level, index, width: hashes.length };
    const path = tilePath(name);
    try {
      const found = await readHashes(this.directory, name);
      if (!found) return this.problems.add('tile_missing', path, 'the file is not there');
      const wrong = hashes.findIndex((hash, at) => found[at]?.equals(hash) !== true);
      if (wrong >= 0) this.problems.add('tile_changed', path, `hash ${wrong} is not what the tiles below it give`);
    } catch (cause) {
      this.problems.add('tile_changed', path, PosternError.from(cause).message);
    }
  }
}
