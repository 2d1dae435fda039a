import { createHmac, createSecretKey, randomBytes, type KeyObject } from 'node:crypto';
import { constants } from 'node:fs';
import { link, mkdir, open, realpath, rm, stat, type FileHandle } from 'node:fs/promises';
import { basename, dirname, isAbsolute, join, relative, sep } from 'node:path';
import { PosternError } from '@postern/plugin-sdk';
import { decrypt, encrypt, type KeyWrapper } from './sealing.js';

export interface WrappingKeyOptions {
  readonly path: string;
  /** Files and directories of the store and of its backups: the key may lie in none of them. */
  readonly storePaths: readonly string[];
}

const label = 'postern-wrapping-key-v1';
const format = new RegExp(`^${label}:([\\w-]{43})\\n?$`);

/**
 * The wrapping key in a file that only its owner can read, created at the first
 * start. Rejects with `invalid_config` where others can read or replace it,
 * where it lies in the store, and where it is no such key. Errors never show it.
 */
export async function openWrappingKey(options: WrappingKeyOptions): Promise<KeyWrapper> {
  try {
    return fileKeyWrapper(await openChecked(options));
  } catch (cause) {
    if (PosternError.is(cause)) throw cause;
    throw new PosternError('invalid_config', `the wrapping key ${options.path} cannot be opened`, { cause });
  }
}

async function openChecked({ path, storePaths }: WrappingKeyOptions): Promise<KeyObject> {
  const directory = dirname(path);
  await mkdir(directory, { recursive: true, mode: 0o700 });
  await checkDirectory(path, directory);
  await checkPlace(path, join(await realpath(directory), basename(path)), storePaths);
  const file = (await openExisting(path)) ?? (await create(path));
  try {
    await checkFile(path, file);
    // The name may be a link that leads somewhere else.
    await checkPlace(path, await realpath(path), storePaths);
    return await readKey(path, file);
  } finally {
    await file.close();
  }
}

/** Wraps data keys with AES-256-GCM under a key that is never shown. */
function fileKeyWrapper(key: KeyObject): KeyWrapper {
  return {
    id: createHmac('sha256', key).update(label).digest('base64url').slice(0, 16),
    wrap: async (dataKey, context) => encrypt(key, dataKey, context),
    unwrap: async (wrapped, context) => decrypt(key, Buffer.from(wrapped), context),
  };
}

async function openExisting(path: string): Promise<FileHandle | undefined> {
  return open(path, constants.O_RDONLY).catch((cause: NodeJS.ErrnoException) => {
    if (cause.code === 'ENOENT') return undefined;
    throw cause;
  });
}

/** Whole or not at all: written beside its place, then linked there, which fails where another process was first. */
async function create(path: string): Promise<FileHandle> {
  const draft = join(dirname(path), `.wrapping-key-${randomBytes(8).toString('hex')}`);
  try {
    const file = await open(draft, 'wx', 0o600);
    try {
      await file.writeFile(`${label}:${randomBytes(32).toString('base64url')}\n`);
      await file.sync();
    } finally {
      await file.close();
    }
    await link(draft, path).catch((cause: NodeJS.ErrnoException) => {
      if (cause.code !== 'EEXIST') throw cause;
    });
  } finally {
    await rm(draft, { force: true });
  }
  await syncDirectory(dirname(path));
  return open(path, constants.O_RDONLY);
}

async function syncDirectory(path: string): Promise<void> {
  const directory = await open(path, constants.O_RDONLY);
  await directory.sync();
  await directory.close();
}

/** Checked on the open file, so that it cannot be exchanged in between. */
async function checkFile(path: string, file: FileHandle): Promise<void> {
  const { mode, uid, size } = await file.stat();
  const self = process.getuid?.() ?? uid;
  if ((mode & constants.S_IFMT) !== constants.S_IFREG || size > 256) throw bad(path, 'is not a wrapping key');
  if ((mode & 0o077) !== 0) throw bad(path, 'can be read or written by others: its mode must be 0600');
  if (uid !== self && uid !== 0) throw bad(path, 'belongs to another user');
}

/** Whoever can write to the directory can put a key there that he knows. */
async function checkDirectory(path: string, directory: string): Promise<void> {
  const { mode } = await stat(directory);
  if ((mode & 0o022) !== 0 && (mode & 0o1000) === 0) throw bad(path, 'lies in a directory that others can write to');
}

async function checkPlace(path: string, place: string, storePaths: readonly string[]): Promise<void> {
  for (const storePath of storePaths) {
    const way = relative(await realpath(storePath).catch(() => storePath), place);
    if (way !== '..' && !way.startsWith(`..${sep}`) && !isAbsolute(way))
      throw bad(path, `lies inside the store ${storePath}: whoever copies the store would have it`);
  }
}

async function readKey(path: string, file: FileHandle): Promise<KeyObject> {
  const text = await file.readFile('utf8');
  const key = Buffer.from(format.exec(text)?.[1] ?? '', 'base64url');
  if (key.length !== 32) throw bad(path, 'is not a wrapping key');
  try {
    return createSecretKey(key);
  } finally {
    key.fill(0);
  }
}

const bad = (path: string, fault: string): PosternError =>
  new PosternError('invalid_config', `the wrapping key ${path} ${fault}`);
