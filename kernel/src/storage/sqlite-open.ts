import { continueFromCopy } from './sqlite-backup.js';
import { openDatabase, storageFailure, type Database } from './sqlite-driver.js';
import { lockFile, type LockedFile } from './sqlite-file.js';
import { configure, migrate } from './sqlite-schema.js';

/** An open database of the current schema that belongs to this store alone. */
export interface SqliteFile {
  readonly database: Database;
  close(): void;
}

async function openPrepared(path: string, now: Date): Promise<Database> {
  const database = await openDatabase(path);
  try {
    configure(database, path === ':memory:');
    migrate(database);
    continueFromCopy(database, now);
    return database;
  } catch (cause) {
    database.close();
    throw cause;
  }
}

/**
 * Leaves everything in the one file. SQLite does that by itself when a connection
 * ends, but one of the bindings ends it only when its statements are collected.
 */
function closeDatabase(database: Database): void {
  try {
    database.exec('PRAGMA wal_checkpoint(TRUNCATE)');
  } catch {
    // Nothing is lost: the log stays where it is, and the next one to open the file reads it.
  } finally {
    database.close();
  }
}

async function openLocked({ path, lock }: LockedFile, now: Date): Promise<SqliteFile> {
  try {
    const database = await openPrepared(path, now);
    return {
      database,
      close: () => {
        try {
          closeDatabase(database);
        } finally {
          lock.close();
        }
      },
    };
  } catch (cause) {
    lock.close();
    throw cause;
  }
}

/** Opens a file, or `:memory:`, creates what is missing, and migrates what is old. See `SqliteStore.open` for errors. */
export async function openSqliteFile(path: string, now: Date): Promise<SqliteFile> {
  try {
    if (path !== ':memory:') return await openLocked(await lockFile(path), now);
    const database = await openPrepared(path, now);
    return { database, close: () => database.close() };
  } catch (cause) {
    throw storageFailure(`cannot open ${path}`, cause);
  }
}
