import { randomBytes } from 'node:crypto';
import { link, open, rm } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { PosternError } from '@postern/plugin-sdk';
import { openDatabase, storageFailure, type Database } from './sqlite-driver.js';
import { createPrivately } from './sqlite-file.js';

async function sync(path: string): Promise<void> {
  const file = await open(path, 'r');
  try {
    await file.sync();
  } finally {
    await file.close();
  }
}

/** Marks a copy, so that whoever opens it knows that its original went on: see {@link continueFromCopy}. */
async function markAsCopy(path: string): Promise<void> {
  const copy = await openDatabase(path);
  try {
    copy.exec('PRAGMA synchronous = FULL; UPDATE state SET copied = 1');
  } finally {
    copy.close();
  }
}

/**
 * Writes a consistent, compact copy to `path`, mode 0600, which appears there
 * only once it is complete and durable. Rejects with `already_exists` rather
 * than replace a file. Blocks the event loop while SQLite copies.
 */
export async function backUp(database: Database, path: string): Promise<void> {
  const target = resolve(path);
  const partial = `${target}.${randomBytes(4).toString('hex')}.partial`;
  try {
    await createPrivately(partial);
    database.exec(`VACUUM INTO '${partial.replaceAll("'", "''")}'`);
    await markAsCopy(partial);
    await sync(partial);
    await link(partial, target);
    await sync(dirname(target));
  } catch (cause) {
    if (cause instanceof Error && 'code' in cause && cause.code === 'EEXIST')
      throw new PosternError('already_exists', `${target} exists already`, { cause });
    throw storageFailure(`cannot back up to ${target}`, cause);
  } finally {
    await rm(partial, { force: true });
  }
}

/**
 * Lets a store that was restored from a copy continue at a revision that its
 * original cannot have given out: a watcher that knew such a revision would miss
 * changes without noticing. That is the time in milliseconds, since no store
 * makes a thousand commits in every second of its life. The feed is gone.
 */
export function continueFromCopy(database: Database, now: Date): void {
  if (database.prepare('SELECT copied FROM state').get()?.['copied'] === 0) return;
  const revision = `max(revision + 1, ${now.getTime()})`;
  database.exec(`
    BEGIN IMMEDIATE;
    DELETE FROM event;
    UPDATE state SET copied = 0, revision = ${revision}, compacted = ${revision};
    COMMIT;
  `);
}
