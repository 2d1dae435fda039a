import { mkdir, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { replaceFile, syncDirectory } from '../durable-file.js';
import type { TileFile } from '../tlog/index.js';

/** How many files are synced at once; more would keep the whole thread pool waiting for the disk. */
const atOnce = 2;

/** How many folders are remembered; what is forgotten is only synced once more. */
const maxFolders = 1024;

/** Writes tiles and bundles, whole and durable with the folders that lead to them. */
export class TileStore {
  /** Those whose own names this process has made durable. */
  readonly #folders = new Set<string>();

  constructor(private readonly directory: string) {}

  async write(files: readonly TileFile[]): Promise<void> {
    try {
      await this.#write(files);
    } catch (cause) {
      // A folder that somebody removed is made again.
      this.#folders.clear();
      throw cause;
    }
  }

  async #write(files: readonly TileFile[]): Promise<void> {
    const changed = new Set(files.map(({ path }) => dirname(path)));
    const fresh = new Set([...changed].flatMap(pathTo).filter((folder) => !this.#folders.has(folder)));
    for (const folder of fresh) await mkdir(join(this.directory, folder), { recursive: true, mode: 0o700 });
    const queue = [...files];
    const worker = async (): Promise<void> => {
      for (let file = queue.shift(); file; file = queue.shift())
        await replaceFile(join(this.directory, file.path), file.bytes);
    };
    await Promise.all(Array.from({ length: atOnce }, worker));
    for (const folder of new Set([...changed, ...[...fresh].map(dirname)]))
      await syncDirectory(join(this.directory, folder));
    if (this.#folders.size > maxFolders) this.#folders.clear();
    for (const folder of fresh) this.#folders.add(folder);
  }
}

/** A folder and those above it, as far as the log's own. */
const pathTo = (folder: string): string[] => (folder === '.' ? [] : [...pathTo(dirname(folder)), folder]);

/** Removes the partial versions of tiles that are full now: C2SP tlog-tiles, "Partial Tiles". */
export async function removePartials(directory: string, full: readonly TileFile[]): Promise<void> {
  for (const { path } of full) await rm(join(directory, `${path}.p`), { recursive: true, force: true });
}
