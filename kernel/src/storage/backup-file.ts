import { createHash, randomBytes } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { link, open, rm, type FileHandle } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { z } from 'zod';
import { PosternError } from '@postern/plugin-sdk';
import { checkKey } from './limits.js';
import type { Snapshot } from './snapshot.js';
import type { Entry } from './store.js';

const header = z.strictObject({
  postern: z.literal('backup'),
  version: z.literal(1),
  cluster: z.string(),
  revision: z.int(),
  created: z.iso.datetime(),
});
const line = z.strictObject({
  key: z.string(),
  value: z.string(),
  revision: z.int(),
  expires: z.iso.datetime().optional(),
});
const trailer = z.strictObject({ entries: z.int(), sha256: z.string() });

/** What a backup says of itself. */
export type BackupHeader = z.output<typeof header>;

/** No line is longer: the largest value in JSON, where each byte may take six. */
const longestLine = 8 * 1024 * 1024;

/**
 * Writes a snapshot as lines of JSON: a header, one line for each entry in key
 * order, and a trailer with the SHA-256 of all bytes before it. The file is
 * private, and appears only when it is complete. Rejects with `already_exists`
 * rather than replace one. Resolves with how many entries it has.
 */
export async function writeBackup(
  path: string,
  snapshot: Pick<Snapshot, 'revision' | 'pages'>,
  { cluster, now, signal }: { readonly cluster: string; readonly now: Date; readonly signal: AbortSignal },
): Promise<number> {
  const target = resolve(path);
  const partial = `${target}.${randomBytes(4).toString('hex')}.partial`;
  const about = { postern: 'backup', version: 1, cluster, revision: snapshot.revision, created: now.toISOString() };
  try {
    const file = await open(partial, 'wx', 0o600);
    try {
      const entries = await writeLines(file, about, snapshot.pages(), signal);
      await file.sync();
      await link(partial, target);
      return entries;
    } finally {
      await file.close();
    }
  } catch (cause) {
    if (signal.aborted) throw PosternError.public('aborted', 'interrupted: no backup was written', cause);
    throw writeFailure(target, cause);
  } finally {
    await rm(partial, { force: true });
    await syncDirectory(dirname(target)).catch(() => {});
  }
}

async function writeLines(
  file: FileHandle,
  about: object,
  pages: AsyncIterable<readonly Entry[]>,
  signal: AbortSignal,
): Promise<number> {
  const hash = createHash('sha256');
  const write = async (text: string): Promise<void> => {
    hash.update(text);
    await file.appendFile(text);
  };
  let entries = 0;
  await write(`${JSON.stringify(about)}\n`);
  for await (const page of pages) {
    signal.throwIfAborted();
    await write(page.map((entry) => `${JSON.stringify(entry)}\n`).join(''));
    entries += page.length;
  }
  await file.appendFile(`${JSON.stringify({ entries, sha256: hash.digest('hex') })}\n`);
  return entries;
}

function writeFailure(target: string, cause: unknown): unknown {
  if (PosternError.is(cause)) return cause;
  const code = cause instanceof Error && 'code' in cause ? cause.code : undefined;
  if (code === 'EEXIST') return PosternError.public('already_exists', `${target} exists already`, cause);
  return new PosternError('unavailable', `cannot write ${target}`, { cause });
}

async function syncDirectory(path: string): Promise<void> {
  const directory = await open(path, 'r');
  await directory.sync().finally(() => directory.close());
}

/**
 * Reads a backup: the header first, then entries as they come. Rejects with
 * `invalid_argument` at the end where the file is not whole: whoever writes
 * something down from it reads it to its end first.
 */
export async function* readBackup(path: string): AsyncGenerator<BackupHeader | Entry, void, undefined> {
  const hash = createHash('sha256');
  let last: string | undefined;
  let entries = -1;
  let before: Buffer | undefined;
  for await (const text of lines(path)) {
    if (last !== undefined) {
      hash.update(`${last}\n`);
      const read = entries < 0 ? parse(path, last, header) : toEntry(parse(path, last, line));
      entries += 1;
      if ('key' in read) before = inOrder(path, before, read.key);
      yield read;
    }
    last = text;
  }
  const end = parse(path, last ?? '', trailer);
  if (entries < 0 || end.entries !== entries || end.sha256 !== hash.digest('hex'))
    throw broken(path, 'its contents are not those that its last line vouches for');
}

const toEntry = ({ expires, ...entry }: z.output<typeof line>): Entry => ({
  ...entry,
  ...(expires !== undefined && { expires: new Date(expires) }),
});

function inOrder(path: string, before: Buffer | undefined, key: string): Buffer {
  checkKey(key);
  const bytes = Buffer.from(key);
  if (before && Buffer.compare(before, bytes) >= 0) throw broken(path, 'its entries are not in order');
  return bytes;
}

async function* lines(path: string): AsyncGenerator<string, void, undefined> {
  let pending = Buffer.alloc(0);
  const chunks = createReadStream(path) as AsyncIterable<Buffer>;
  try {
    for await (const chunk of chunks) {
      pending = Buffer.concat([pending, chunk]);
      let from = 0;
      for (let at = pending.indexOf(10); at >= 0; at = pending.indexOf(10, from)) {
        yield pending.toString('utf8', from, at);
        from = at + 1;
      }
      pending = pending.subarray(from);
      if (pending.length > longestLine) throw broken(path, 'a line is too long');
    }
  } catch (cause) {
    if (PosternError.is(cause)) throw cause;
    throw PosternError.public('not_found', `cannot read ${path}`, cause);
  }
  if (pending.length > 0) throw broken(path, 'it ends in the middle of a line');
}

function parse<S extends z.ZodType>(path: string, text: string, schema: S): z.output<S> {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw broken(path, 'a line is not JSON');
  }
  const parsed = schema.safeParse(value);
  if (!parsed.success) throw broken(path, 'a line is not what a backup has');
  return parsed.data;
}

const broken = (path: string, why: string): PosternError =>
  PosternError.public('invalid_argument', `${path} is not a whole backup: ${why}`);
