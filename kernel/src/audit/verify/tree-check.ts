import { PosternError } from '@postern/plugin-sdk';
import {
  Frontier,
  leafHash,
  readEntries,
  readHashes,
  tilePath,
  tileWidth,
  widthAt,
  type Checkpoint,
} from '../tlog/index.js';
import type { JournalCheck } from './journal-check.js';
import type { Findings, ProblemKind } from './report.js';
import type { StreamCheck } from './stream-check.js';
import { UpperTiles } from './upper-tiles.js';

export interface TreeCheckOptions {
  readonly directory: string;
  /** How many entries are signed. */
  readonly size: number;
  /** The roots that the tree must have had on its way. */
  readonly targets: readonly { readonly checkpoint: Checkpoint; readonly kind: 'root_mismatch' | 'forked' }[];
  readonly journal: JournalCheck;
  readonly streams: StreamCheck;
  readonly problems: Findings<ProblemKind>;
  readonly onProgress?: ((checked: number, size: number) => void) | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** An entry is held three times: in its bundle, in the journal, and as a hash in its tile. */
interface Copies {
  readonly entries: readonly Buffer[] | undefined;
  readonly hashes: readonly Buffer[] | undefined;
  readonly lines: readonly Buffer[];
}

interface Found {
  readonly entry: Buffer;
  readonly leaf: Buffer;
}

/**
 * Recomputes the tree from the entries, bundle by bundle, and compares every
 * tile and every root on the way. Where the three copies of an entry differ,
 * the two that agree are taken, so that one flipped bit is one problem.
 */
export class TreeCheck {
  readonly #frontier = new Frontier();
  readonly #upper: UpperTiles;

  constructor(private readonly options: TreeCheckOptions) {
    this.#upper = new UpperTiles(options.directory, options.problems);
  }

  /** Returns how many entries were found. */
  async run(): Promise<number> {
    const { size, onProgress, signal } = this.options;
    this.#compareRoots();
    for (let index = 0; index * tileWidth < size; index += 1) {
      signal?.throwIfAborted();
      if (!(await this.#bundle(index))) return this.#frontier.size;
      await this.#upper.compare();
      onProgress?.(this.#frontier.size, size);
    }
    await this.#upper.finish();
    return this.#frontier.size;
  }

  async #bundle(index: number): Promise<boolean> {
    const { directory, size, journal } = this.options;
    const first = index * tileWidth;
    const width = widthAt('entries', index, size);
    const bundle = { level: 'entries', index, width } as const;
    const tile = { level: 0, index, width };
    const copies: Copies = {
      entries: await this.#read(tilePath(bundle), 'bundle_changed', () => readEntries(directory, index, width)),
      hashes: await this.#read(tilePath(tile), 'tile_changed', () => readHashes(directory, tile)),
      lines: await journal.peek(first, width),
    };
    const found: Found[] = [];
    for (let at = 0; at < width; at += 1) {
      const entry = this.#entry(first + at, at, copies);
      if (!entry) break;
      found.push(entry);
    }
    this.#grow(found.map(({ leaf }) => leaf));
    const entries = found.map(({ entry }) => entry);
    for (const [at, entry] of entries.entries()) this.options.streams.add(first + at, entry);
    await journal.compare(first, entries);
    return found.length === width || this.#truncated(first + found.length);
  }

  /** Takes the leaves of a bundle into the tree, all at once where no root on the way is wanted. */
  #grow(leaves: readonly Buffer[]): void {
    const bundle = new Frontier();
    for (const leaf of leaves) bundle.push(leaf);
    const { size } = this.#frontier;
    const isWanted = this.options.targets.some(
      ({ checkpoint }) => checkpoint.size > size && checkpoint.size < size + leaves.length,
    );
    if (leaves.length === tileWidth) this.#upper.push(bundle.root());
    if (leaves.length === tileWidth && !isWanted) return this.#push(bundle.root(), 8);
    for (const leaf of leaves) this.#push(leaf, 0);
  }

  #push(hash: Buffer, height: number): void {
    this.#frontier.push(hash, height);
    this.#compareRoots();
  }

  async #read(
    path: string,
    kind: ProblemKind,
    read: () => Promise<Buffer[] | undefined>,
  ): Promise<Buffer[] | undefined> {
    try {
      const found = await read();
      if (!found) this.options.problems.add('tile_missing', path, 'the file is not there');
      return found;
    } catch (cause) {
      this.options.problems.add(kind, path, PosternError.from(cause).message);
      return undefined;
    }
  }

  /** One entry, and the leaf that stands for it; `undefined` where no copy of it is left. */
  #entry(index: number, at: number, { entries, hashes, lines }: Copies): Found | undefined {
    const bundled = entries?.[at];
    const line = lines[at];
    const entry = bundled ?? line;
    if (!entry) return undefined;
    const leaf = leafHash(entry);
    const tiled = hashes?.[at];
    if (!tiled || tiled.equals(leaf)) return { entry, leaf };
    const verdict = whichDiffers(tiled, leaf, bundled && line);
    this.options.problems.add(verdict.kind, `entry ${index}`, verdict.detail);
    return verdict.kind === 'bundle_changed' && line ? { entry: line, leaf: tiled } : { entry, leaf };
  }

  #truncated(index: number): boolean {
    const { problems, size } = this.options;
    problems.add('truncated', `entry ${index}`, `nothing is left of the entries from here to ${size - 1}`);
    return false;
  }

  #compareRoots(): void {
    const { size } = this.#frontier;
    const root = this.options.targets.some(({ checkpoint }) => checkpoint.size === size) && this.#frontier.root();
    if (!root) return;
    for (const { checkpoint, kind } of this.options.targets) {
      if (checkpoint.size !== size || checkpoint.root.equals(root)) continue;
      this.options.problems.add(kind, `entry ${size}`, `the root over ${size} entries is not the one that was signed`);
    }
  }
}

/** Which of the three is wrong, where the hash in the tile is not that of the entry: the journal's line decides. */
function whichDiffers(
  tiled: Buffer,
  leaf: Buffer,
  line: Buffer | undefined,
): { readonly kind: ProblemKind; readonly detail: string } {
  const lineLeaf = line && leafHash(line);
  if (lineLeaf?.equals(tiled)) return { kind: 'bundle_changed', detail: 'tile and journal agree, the bundle differs' };
  if (lineLeaf?.equals(leaf)) return { kind: 'tile_changed', detail: 'bundle and journal agree, the tile differs' };
  return { kind: 'entry_changed', detail: 'the hash in its tile is not the hash of the entry' };
}
