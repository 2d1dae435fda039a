import { open } from 'node:fs/promises';
import { PosternError } from '@postern/plugin-sdk';

/**
 * A whole file that should be small. `undefined` where there is none; rejects
 * with `limit_exceeded` where it is longer than it may be.
 */
export async function readBounded(path: string, maxBytes: number): Promise<Buffer | undefined> {
  const handle = await open(path, 'r').catch((cause: NodeJS.ErrnoException) => {
    if (cause.code === 'ENOENT') return undefined;
    throw cause;
  });
  if (!handle) return undefined;
  try {
    const { size } = await handle.stat();
    if (size > maxBytes) throw new PosternError('limit_exceeded', `${path} has ${size} bytes, ${maxBytes} are allowed`);
    return await handle.readFile();
  } finally {
    await handle.close();
  }
}
