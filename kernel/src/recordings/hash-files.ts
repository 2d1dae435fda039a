import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';

/** SHA-256 of each file that exists, in hexadecimal, read as a stream. */
export async function hashFiles(directory: string, files: readonly string[]): Promise<Record<string, string>> {
  const hashes: Record<string, string> = {};
  for (const file of files) {
    const hash = createHash('sha256');
    await pipeline(createReadStream(join(directory, file)), hash).then(
      () => (hashes[file] = hash.digest('hex')),
      (cause: NodeJS.ErrnoException) => {
        if (cause.code !== 'ENOENT') throw cause;
      },
    );
  }
  return hashes;
}
