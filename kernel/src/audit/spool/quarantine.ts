import { open } from 'node:fs/promises';
import { basename, dirname } from 'node:path';
import { syncDirectory } from '../durable-file.js';

/** Bytes that were no record, and between which sequences they stood. */
export interface Damage {
  /** The name of the file that keeps the bytes. */
  readonly file: string;
  readonly bytes: number;
  readonly after: number;
  readonly before: number;
}

/**
 * Keeps damaged bytes of a segment in a file beside it, durably. Resolves with
 * the file's name, or with `undefined` where an earlier run has kept them.
 */
export async function quarantine(segment: string, offset: number, bytes: Buffer): Promise<string | undefined> {
  const path = `${segment}-${offset}.quarantine`;
  const handle = await open(path, 'wx', 0o600).catch((cause: NodeJS.ErrnoException) => {
    if (cause.code === 'EEXIST') return undefined;
    throw cause;
  });
  if (!handle) return undefined;
  try {
    await handle.writeFile(bytes);
    await handle.sync();
  } finally {
    await handle.close();
  }
  await syncDirectory(dirname(path));
  return basename(path);
}
