import { existsSync } from 'node:fs';
import { setImmediate as turn } from 'node:timers/promises';
import { PosternError } from '@postern/plugin-sdk';
import { openDatabase, storageFailure, type Database } from './sqlite-driver.js';
import { schemaVersion } from './sqlite-schema.js';
import { SqliteTables } from './sqlite-tables.js';
import { snapshotPage, type Snapshot } from './snapshot.js';
import type { Entry } from './store.js';

/**
 * A snapshot of a store's file, over a connection of its own: also of one that
 * another process has open and writes to. Rejects with `not_found` where there
 * is no file, and with `unavailable` where it is not of this program's version.
 */
export async function sqliteSnapshot(path: string, now: () => Date): Promise<Snapshot> {
  if (!existsSync(path)) throw PosternError.public('not_found', `there is no store at ${path}`);
  const database = await openDatabase(path);
  try {
    return begin(database, now().getTime());
  } catch (cause) {
    database.close();
    throw storageFailure(`cannot read ${path}`, cause);
  }
}

function begin(database: Database, now: number): Snapshot {
  database.exec('PRAGMA busy_timeout = 5000; PRAGMA query_only = ON; BEGIN');
  const version = Number(Object.values(database.prepare('PRAGMA user_version').get() ?? {})[0]);
  if (version !== schemaVersion)
    throw new PosternError('unavailable', `its schema is ${version}, and this program's is ${schemaVersion}`);
  const tables = new SqliteTables(database);
  return {
    revision: tables.head().revision,
    async *pages(): AsyncGenerator<readonly Entry[], void, undefined> {
      for (let after: string | undefined; ;) {
        const page = tables.range('', { limit: snapshotPage, ...(after !== undefined && { after }) }, now);
        if (page.length > 0) yield page;
        if (page.length < snapshotPage) return;
        after = page.at(-1)?.key;
        await turn();
      }
    },
    async [Symbol.asyncDispose]() {
      database.exec('ROLLBACK');
      database.close();
    },
  };
}
