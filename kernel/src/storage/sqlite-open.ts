import { continueFromCopy } from './sqlite-backup.js';
import { openDatabase, storageFailure, type Database } from './sqlite-driver.js';
import { lockFile } from './sqlite-file.js';
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

/** Opens a file, or `:memory:`, creates what is missing, and migrates what is old. See `SqliteStore.open` for errors. */
export async function openSqliteFile(path: string, now: Date): Promise<SqliteFile> {
  try {
    if (path === ':memory:') {
      const database = await openPrepared(path, now);
      return { database, close: () => database.close() };
    }
    const locked = await lockFile(path);
    try {
      const database = await openPrepared(locked.path, now);
      return {
        database,
        close: () => {
          try {
            database.close();
          } finally {
            locked.lock.close();
          }
        },
      };
    } catch (cause) {
      locked.lock.close();
      throw cause;
    }
  } catch (cause) {
    throw storageFailure(`cannot open ${path}`, cause);
  }
}
