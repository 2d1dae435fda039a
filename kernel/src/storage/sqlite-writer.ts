import { storageFailure, type Database } from './sqlite-driver.js';
import type { Head, SqliteTables } from './sqlite-tables.js';
import { SqliteTransaction, type Finished, type Retention } from './sqlite-transaction.js';

/** The only one that writes: runs work in SQLite transactions, and knows where the store is between them. */
export class SqliteWriter {
  readonly #tables: SqliteTables;
  readonly #keep: Retention;
  #head: Head;
  #feedBytes: number;

  constructor(tables: SqliteTables, keep: Retention) {
    this.#tables = tables;
    this.#keep = keep;
    this.#head = tables.head();
    this.#feedBytes = tables.feedBytes();
  }

  /** As of the newest durable transaction. */
  get head(): Head {
    return this.#head;
  }

  /** Returns once the work is durable. Throws `unavailable`, and then nothing of it counts, whatever failed. */
  write<T>(now: Date, work: (transaction: SqliteTransaction) => T): Finished & { readonly result: T } {
    const { database } = this.#tables;
    try {
      database.exec('BEGIN IMMEDIATE');
      try {
        const transaction = new SqliteTransaction(this.#tables, now.getTime(), this.#feedBytes);
        const result = work(transaction);
        const finished = transaction.finish(this.#keep);
        database.exec('COMMIT');
        this.#head = finished.head;
        this.#feedBytes = finished.feedBytes;
        return { ...finished, result };
      } catch (cause) {
        rollBack(database);
        throw cause;
      }
    } catch (cause) {
      throw storageFailure('cannot write to the store', cause);
    }
  }
}

function rollBack(database: Database): void {
  try {
    database.exec('ROLLBACK');
  } catch {
    // After some failures SQLite has rolled back already, and says so. Were a transaction
    // still open, the next one could not begin, and the store would stay unavailable.
  }
}
