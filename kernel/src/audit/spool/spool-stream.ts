import { randomBytes } from 'node:crypto';
import { chmod, mkdir, readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { PosternError } from '@postern/plugin-sdk';
import { z } from 'zod';
import { replaceFileDurably } from '../durable-file.js';
import { segmentFirst } from './segment.js';

const description = z.strictObject({ version: z.literal(1), agent: z.string(), stream: z.string() });

export interface SpoolStream {
  readonly stream: string;
  /** True where the spool was made just now. */
  readonly fresh: boolean;
}

/**
 * The stream that a spool's directory belongs to: read from it, or begun in an
 * empty one. A spool that was lost thus begins another stream, and its numbers
 * cannot be mistaken for those of the old one. Rejects with `invalid_config`
 * where the directory is another agent's, or lost its description.
 */
export async function openStream(directory: string, agent: string): Promise<SpoolStream> {
  await mkdir(directory, { recursive: true, mode: 0o700 });
  await chmod(directory, 0o700);
  const path = join(directory, 'stream.json');
  const text = await readFile(path, 'utf8').catch((cause: NodeJS.ErrnoException) => {
    if (cause.code === 'ENOENT') return undefined;
    throw cause;
  });
  if (text !== undefined) return { stream: read(path, text, agent), fresh: false };
  if ((await readdir(directory)).some((name) => segmentFirst(name) !== undefined))
    throw new PosternError('invalid_config', `${directory} holds audit events and no stream.json; move it aside`);
  const stream = randomBytes(8).toString('hex');
  await replaceFileDurably(path, Buffer.from(`${JSON.stringify({ version: 1, agent, stream })}\n`));
  return { stream, fresh: true };
}

function read(path: string, text: string, agent: string): string {
  let found: z.output<typeof description>;
  try {
    found = description.parse(JSON.parse(text));
  } catch (cause) {
    throw new PosternError('invalid_config', `${path} does not describe a spool`, { cause });
  }
  if (found.agent !== agent)
    throw new PosternError('invalid_config', `${path} is the spool of ${found.agent}, not of ${agent}`);
  return found.stream;
}
