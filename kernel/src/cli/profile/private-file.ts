import { mkdir, open, rename, rm } from 'node:fs/promises';
import { dirname } from 'node:path';

/** Writes a file that only its owner can read, whole or not at all: a reader sees the old text or the new one. */
export async function writePrivateFile(path: string, text: string): Promise<void> {
  // Whoever only reads profiles does not wait for this module.
  const { randomBytes } = process.getBuiltinModule('node:crypto');
  await mkdir(dirname(path), { recursive: true, mode: 0o700 });
  const scratch = `${path}.${randomBytes(4).toString('hex')}`;
  const file = await open(scratch, 'wx', 0o600);
  try {
    await file.writeFile(text);
    await file.sync();
    await file.close();
    await rename(scratch, path);
  } catch (cause) {
    await file.close().catch(() => {});
    await rm(scratch, { force: true });
    throw cause;
  }
}
