import { mkdir, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { replaceFile, syncDirectory } from '../durable-file.js';
import type { TileFile } from '../tlog/index.js';

/** How many files are synced at once; more would keep the whole thread pool waiting for the disk. */
const atOnce = 2;

/** Writes tiles and bundles, whole and durable with the folders that lead to them. */
export async function writeTiles(directory: string, files: readonly TileFile[]): Promise<void> {
  const folders = new Set<string>();
  for (const { path } of files)
    for (let folder = dirname(path); folder !== '.'; folder = dirname(folder)) folders.add(folder);
  for (const folder of folders) await mkdir(join(directory, folder), { recursive: true, mode: 0o700 });
  const queue = [...files];
  const worker = async (): Promise<void> => {
    for (let file = queue.shift(); file; file = queue.shift())
      await replaceFile(join(directory, file.path), file.bytes);
  };
  await Promise.all(Array.from({ length: atOnce }, worker));
  for (const folder of folders) await syncDirectory(join(directory, folder));
  if (folders.size > 0) await syncDirectory(directory);
}

/** Removes the partial versions of tiles that are full now: C2SP tlog-tiles, "Partial Tiles". */
export async function removePartials(directory: string, full: readonly TileFile[]): Promise<void> {
  for (const { path } of full) await rm(join(directory, `${path}.p`), { recursive: true, force: true });
}
