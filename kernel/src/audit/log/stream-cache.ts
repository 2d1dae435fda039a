import { hash } from 'node:crypto';
import { mkdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { replaceFileDurably } from '../durable-file.js';
import type { StreamState } from './streams.js';

const content = z.strictObject({
  /** The number of entries that the states cover. */
  size: z.int().nonnegative(),
  streams: z.array(
    z.strictObject({
      agent: z.string(),
      stream: z.string(),
      ranges: z.array(z.tuple([z.int().positive(), z.int().positive()])),
    }),
  ),
});

export interface StreamSnapshot {
  readonly size: number;
  readonly streams: readonly StreamState[];
}

const cachePath = (directory: string): string => join(directory, 'cache', 'streams.json');
const checksum = (body: string): string => hash('sha256', body, 'hex');

/** Keeps the states, so that a start need not read the whole journal. */
export async function writeStreamCache(directory: string, snapshot: StreamSnapshot): Promise<void> {
  await mkdir(join(directory, 'cache'), { recursive: true, mode: 0o700 });
  const body = JSON.stringify(snapshot);
  await replaceFileDurably(cachePath(directory), Buffer.from(`${checksum(body)}\n${body}\n`));
}

/** What was kept; `undefined` where there is nothing, or nothing whole: then the journal itself tells. */
export async function readStreamCache(directory: string): Promise<StreamSnapshot | undefined> {
  const text = await readFile(cachePath(directory), 'utf8').catch(() => '');
  const [sum, body = ''] = text.split('\n');
  if (sum !== checksum(body)) return undefined;
  const parsed = content.safeParse(JSON.parse(body));
  return parsed.success ? parsed.data : undefined;
}
