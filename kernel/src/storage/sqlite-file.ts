import { chmod, lstat, mkdir, open, realpath, stat } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import { PosternError } from '@postern/plugin-sdk';
import { isBusy, openDatabase, type Database } from './sqlite-driver.js';

const isCode = (cause: unknown, code: string): boolean =>
  cause instanceof Error && 'code' in cause && cause.code === code;

/** Creates an empty file that only its owner can read. False where there is one already; that one is not touched. */
export async function createPrivately(path: string): Promise<boolean> {
  try {
    await (await open(path, 'wx', 0o600)).close();
    return true;
  } catch (cause) {
    if (isCode(cause, 'EEXIST')) return false;
    throw cause;
  }
}

/** Creates the directory with mode 0700, or refuses one in which others could replace the files. */
async function privateDirectory(path: string): Promise<void> {
  await mkdir(path, { recursive: true, mode: 0o700 });
  const { mode } = await stat(path);
  if (process.platform !== 'win32' && (mode & 0o022) !== 0)
    throw new PosternError(
      'invalid_config',
      `${path} is writable by others (mode ${(mode & 0o7777).toString(8)}): make it 0700`,
    );
}

/** Takes the group's and everybody's permissions from a file, where it exists. Refuses what is no plain file. */
async function tighten(path: string): Promise<void> {
  const found = await lstat(path).catch((cause: unknown) => {
    if (isCode(cause, 'ENOENT')) return undefined;
    throw cause;
  });
  if (!found) return;
  if (!found.isFile()) throw new PosternError('invalid_config', `${path} is not a regular file`);
  if (found.nlink > 1)
    throw new PosternError('invalid_config', `${path} has a second hard link, past which it is not locked`);
  if (process.platform !== 'win32' && (found.mode & 0o077) !== 0) await chmod(path, 0o600);
}

/** The one name of a file: two paths to it must meet at the same lock. */
async function canonical(path: string): Promise<string> {
  const absolute = resolve(path);
  try {
    return await realpath(absolute);
  } catch (cause) {
    if (!isCode(cause, 'ENOENT')) throw cause;
    return join(await realpath(dirname(absolute)), basename(absolute));
  }
}

/**
 * An exclusive lock on `path` in a database of its own, which is empty: the lock
 * is the operating system's, so that it dies with the process however that ends,
 * and the store's own file stays readable for SQLite's tools.
 */
export async function holdLock(path: string): Promise<Database> {
  await createPrivately(`${path}.lock`);
  const database = await openDatabase(`${path}.lock`);
  try {
    database.exec('PRAGMA busy_timeout = 0; BEGIN EXCLUSIVE');
    return database;
  } catch (cause) {
    database.close();
    if (!isBusy(cause)) throw cause;
    throw new PosternError('unavailable', 'already in use by another postern process', { cause });
  }
}

/** A database file that nobody else may read, and that nobody else has open. Close the lock last. */
export interface LockedFile {
  readonly path: string;
  readonly lock: Database;
}

/**
 * Prepares the file behind `path`: directory 0700, file 0600 (SQLite gives its
 * companions the same), locked. Rejects with `unavailable` where another
 * process, or this one, has it open already.
 */
export async function lockFile(path: string): Promise<LockedFile> {
  await privateDirectory(dirname(resolve(path)));
  const file = await canonical(path);
  const held = await holdLock(file);
  try {
    // Only under the lock: closing any descriptor of a file drops this process's own locks on it.
    await createPrivately(file);
    for (const companion of ['', '-wal', '-shm']) await tighten(file + companion);
    return { path: file, lock: held };
  } catch (cause) {
    held.close();
    throw cause;
  }
}
