import { join } from 'node:path';
import { PosternError } from '@postern/plugin-sdk';
import { readBounded } from '../bounded-file.js';
import { Frontier } from './frontier.js';
import { hashLength } from './merkle.js';
import type { SubtreeSource } from './proof.js';
import { bundleEntries, maxBundleBytes, maxTileBytes, tilePath, tileWidth, type TileName } from './tile.js';

/** How wide tile `index` of `level` is in a tree of `size` leaves: 0 where it does not exist yet. */
export function widthAt(level: number | 'entries', index: number, size: number): number {
  const nodes = Math.floor(size / tileWidth ** (level === 'entries' ? 0 : level));
  return Math.max(0, Math.min(tileWidth, nodes - index * tileWidth));
}

/** A file of the layout by its name, bounded; `undefined` where there is none. */
export const readTileFile = (directory: string, name: TileName): Promise<Buffer | undefined> =>
  readBounded(join(directory, tilePath(name)), name.level === 'entries' ? maxBundleBytes : maxTileBytes);

/** A tile as it lies on disk: the partial one where it is there, or else the full one that has replaced it. */
export async function readTile(
  directory: string,
  name: TileName,
): Promise<{ readonly bytes: Buffer; readonly width: number } | undefined> {
  for (const width of new Set([name.width, tileWidth])) {
    const bytes = await readTileFile(directory, { ...name, width });
    if (bytes) return { bytes, width };
  }
  return undefined;
}

/** The hashes of a tile; `undefined` where it is missing. Rejects with `protocol_violation` where its length is wrong. */
export async function readHashes(directory: string, name: TileName & { level: number }): Promise<Buffer[] | undefined> {
  const found = await readTile(directory, name);
  if (!found) return undefined;
  const { bytes, width } = found;
  if (bytes.length !== width * hashLength)
    throw new PosternError('protocol_violation', `a tile of ${width} hashes has ${bytes.length} bytes`);
  return Array.from({ length: name.width }, (_, index) => bytes.subarray(index * hashLength, (index + 1) * hashLength));
}

/** The entries of a bundle; `undefined` where it is missing. Rejects with `protocol_violation` where it is malformed. */
export async function readEntries(directory: string, index: number, width: number): Promise<Buffer[] | undefined> {
  const found = await readTile(directory, { level: 'entries', index, width });
  if (!found) return undefined;
  const entries = bundleEntries(found.bytes);
  if (entries.length !== found.width)
    throw new PosternError('protocol_violation', `a bundle of ${found.width} entries has ${entries.length}`);
  return entries.slice(0, width);
}

/** Looks up subtrees in the tiles of a log at one size, for proofs. Rejects where a tile is missing. */
export function tileSource(directory: string, size: number): SubtreeSource {
  return async (height, index) => {
    const level = Math.floor(height / 8);
    const span = 2 ** (height % 8);
    const tile = Math.floor((index * span) / tileWidth);
    const width = widthAt(level, tile, size);
    const first = (index * span) % tileWidth;
    const hashes = width >= first + span ? await readHashes(directory, { level, index: tile, width }) : undefined;
    if (!hashes) throw new RangeError(`the tile ${tilePath({ level, index: tile, width: tileWidth })} is missing`);
    const subtree = new Frontier();
    for (const hash of hashes.slice(first, first + span)) subtree.push(hash);
    return subtree.root();
  };
}
