import assert from 'node:assert/strict';
import { openDatabase, type Database } from '../../src/storage/sqlite-driver.js';
import { migrate } from '../../src/storage/sqlite-schema.js';
import { SqliteTables } from '../../src/storage/sqlite-tables.js';
import { SqliteWriter } from '../../src/storage/sqlite-writer.js';

/** A real database in memory, of which chosen statements fail as a broken disk would make them fail. */
class FailingDatabase implements Database {
  readonly #database: Database;
  fails: string | undefined;

  private constructor(database: Database) {
    this.#database = database;
  }

  static async open(): Promise<FailingDatabase> {
    const database = await openDatabase(':memory:');
    migrate(database);
    return new FailingDatabase(database);
  }

  exec(sql: string): void {
    if (sql === this.fails) throw Object.assign(new Error('disk I/O error'), { errcode: 10 });
    this.#database.exec(sql);
  }

  prepare(sql: string): ReturnType<Database['prepare']> {
    return this.#database.prepare(sql);
  }

  close(): void {
    this.#database.close();
  }
}

const now = new Date('2030-01-01');
const keep = { revisions: 100, bytes: 1_000 };
const unavailable = { code: 'unavailable', message: 'cannot write to the store: disk I/O error' };

describe('the writer of an SQLite store', () => {
  for (const fails of ['BEGIN IMMEDIATE', 'COMMIT'])
    it(`a ${fails} that fails is unavailable, leaves nothing behind, and the next write works`, async () => {
      const database = await FailingDatabase.open();
      const tables = new SqliteTables(database);
      const writer = new SqliteWriter(tables, keep);
      const write = (key: string): number =>
        writer.write(now, (transaction) => transaction.apply({ put: [{ key, value: '' }] })).result;
      assert.equal(write('a'), 1);
      database.fails = fails;
      assert.throws(() => write('b'), unavailable);
      assert.deepEqual(writer.head, { revision: 1, compacted: 0 });
      database.fails = undefined;
      assert.equal(write('c'), 2);
      assert.deepEqual(
        tables.range('', {}, now.getTime()).map(({ key }) => key),
        ['a', 'c'],
      );
      database.close();
    });

  it('a failure between two commits of a transaction undoes both', async () => {
    const database = await FailingDatabase.open();
    const tables = new SqliteTables(database);
    const writer = new SqliteWriter(tables, keep);
    assert.throws(
      () =>
        writer.write(now, (transaction) => {
          transaction.apply({ put: [{ key: 'a', value: '' }] });
          throw new Error('disk I/O error');
        }),
      unavailable,
    );
    assert.deepEqual(tables.range('', {}, now.getTime()), []);
    assert.deepEqual(writer.head, { revision: 0, compacted: 0 });
    database.close();
  });

  it('a rollback that fails keeps the store unavailable rather than mix two transactions', async () => {
    const database = await FailingDatabase.open();
    const tables = new SqliteTables(database);
    const writer = new SqliteWriter(tables, keep);
    const fail = (): never => {
      throw new Error('disk I/O error');
    };
    database.fails = 'ROLLBACK';
    assert.throws(() => writer.write(now, fail), unavailable);
    database.fails = undefined;
    assert.throws(() => writer.write(now, (transaction) => transaction.apply({ put: [{ key: 'a', value: '' }] })), {
      code: 'unavailable',
      message: /within a transaction/,
    });
    database.close();
  });
});
