import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { PosternError } from '@postern/plugin-sdk';
import { unfinishedSuffix } from '../durable-file.js';
import { parseTilePath, readTile, readTileFile, tilePath, widthAt, type TileName } from '../tlog/index.js';
import type { Findings, NoticeKind, ProblemKind } from './report.js';

export interface LeftoverOptions {
  readonly directory: string;
  readonly size: number;
  readonly problems: Findings<ProblemKind>;
  readonly notices: Findings<NoticeKind>;
}

/**
 * Looks at every file below `tile/` that the tree of this size does not need:
 * partial tiles of earlier sizes must be the beginning of the tile of today,
 * and what no log writes is named. Tiles behind the checkpoint are not judged.
 */
export async function checkLeftovers(options: LeftoverOptions): Promise<void> {
  for await (const path of filesBelow(options.directory, 'tile')) {
    if (path.endsWith(unfinishedSuffix)) continue;
    const name = parseTilePath(path);
    if (!name) options.notices.add('foreign_file', path, 'no log writes a file of this name');
    else if (name.width < widthAt(name.level, name.index, options.size)) await checkPartial(options, name);
  }
}

async function* filesBelow(directory: string, folder: string): AsyncGenerator<string> {
  const items = await readdir(join(directory, folder), { withFileTypes: true }).catch(
    (cause: NodeJS.ErrnoException) => {
      if (cause.code === 'ENOENT') return [];
      throw cause;
    },
  );
  for (const item of items) {
    const path = `${folder}/${item.name}`;
    if (item.isDirectory()) yield* filesBelow(directory, path);
    else yield path;
  }
}

async function checkPartial({ directory, size, problems }: LeftoverOptions, name: TileName): Promise<void> {
  const path = tilePath(name);
  try {
    const earlier = await readTileFile(directory, name);
    const now = await readTile(directory, { ...name, width: widthAt(name.level, name.index, size) });
    // Whether the tile of today is there and right has been found out before.
    if (!earlier || !now) return;
    if (earlier.length !== lengthOf(now.bytes, name)) problems.add('tile_changed', path, 'its length is wrong');
    else if (!now.bytes.subarray(0, earlier.length).equals(earlier))
      problems.add('tile_changed', path, 'it is not the beginning of the tile that has replaced it');
  } catch (cause) {
    problems.add('tile_changed', path, PosternError.from(cause).message);
  }
}

/** How many bytes the first entries or hashes of a tile take; -1 where it has not so many. */
function lengthOf(bytes: Buffer, { level, width }: TileName): number {
  if (level !== 'entries') return width * 32;
  let end = 0;
  for (let count = 0; count < width; count += 1) {
    if (end + 2 > bytes.length) return -1;
    end += 2 + bytes.readUInt16BE(end);
  }
  return end;
}
