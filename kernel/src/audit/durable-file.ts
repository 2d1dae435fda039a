import { open, rename } from 'node:fs/promises';
import { dirname } from 'node:path';

/** What a file that is being written is called until it is whole; whoever opens the folder may remove such files. */
export const unfinishedSuffix = '.tmp';

/** Makes the names in a directory durable: files that were created, renamed or removed there. */
export async function syncDirectory(path: string): Promise<void> {
  const handle = await open(path, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/**
 * Replaces a file as a whole: readers see the old bytes or the new ones. The
 * bytes are durable when it resolves, the name once {@link syncDirectory} has run.
 */
export async function replaceFile(path: string, bytes: Buffer): Promise<void> {
  const unfinished = `${path}${unfinishedSuffix}`;
  const handle = await open(unfinished, 'w', 0o600);
  try {
    await handle.writeFile(bytes);
    await handle.datasync();
  } finally {
    await handle.close();
  }
  await rename(unfinished, path);
}

/** {@link replaceFile}, durable with its name. */
export async function replaceFileDurably(path: string, bytes: Buffer): Promise<void> {
  await replaceFile(path, bytes);
  await syncDirectory(dirname(path));
}
