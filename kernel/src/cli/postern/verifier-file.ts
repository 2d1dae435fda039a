import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { writePrivateFile } from '../profile/private-file.js';

/** Where a process leaves the keys that verify its audit log: one a line, the newest last. */
export const verifierFile = (data: string): string => join(data, 'audit', 'verifier-keys');

/** Adds a key to the file, if it is not there yet: older checkpoints need older keys. */
export async function keepVerifierKey(data: string, key: string): Promise<void> {
  const file = verifierFile(data);
  const before = await readFile(file, 'utf8').catch(() => '');
  if (!before.split('\n').includes(key)) await writePrivateFile(file, `${before}${key}\n`);
}
