import assert from 'node:assert/strict';
import { chmod, copyFile, link, mkdir, readFile, readdir, stat, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { SqliteStore } from '../../src/storage/index.js';
import { openDatabase } from '../../src/storage/sqlite-driver.js';
import { configure, schemaVersion } from '../../src/storage/sqlite-schema.js';
import { Child } from './child-process.js';
import { temporaryDirectory } from './sqlite-harness.js';

const holding = new URL('./children/hold-store.ts', import.meta.url);

const mode = async (path: string): Promise<string> => ((await stat(path)).mode & 0o7777).toString(8);

const close = (store: SqliteStore): Promise<void> => store[Symbol.asyncDispose]();

async function alter(path: string, sql: string): Promise<void> {
  const database = await openDatabase(path);
  database.exec(sql);
  database.close();
}

describe('the file of an SQLite store', () => {
  it('is private with all its companions, in a private directory, whatever the umask', async () => {
    await using directory = await temporaryDirectory();
    const path = join(directory.path, 'a', 'b', 'state.db');
    const before = process.umask(0);
    try {
      await using store = await SqliteStore.open({ path });
      await store.commit({ put: [{ key: 'a', value: '' }] });
      for (const file of ['state.db', 'state.db-wal', 'state.db-shm', 'state.db.lock'])
        assert.equal(await mode(join(directory.path, 'a', 'b', file)), '600', file);
      assert.equal(await mode(join(directory.path, 'a', 'b')), '700');
      assert.equal(await mode(join(directory.path, 'a')), '700');
    } finally {
      process.umask(before);
    }
  });

  it('is made private where it was not', async () => {
    await using directory = await temporaryDirectory();
    const path = join(directory.path, 'state.db');
    await close(await SqliteStore.open({ path }));
    await chmod(path, 0o644);
    await using store = await SqliteStore.open({ path });
    assert.equal(await mode(path), '600');
    await store.commit({ put: [{ key: 'a', value: '' }] });
    assert.equal(await mode(`${path}-wal`), '600');
  });

  it('is refused in a directory where others could replace it', async () => {
    await using directory = await temporaryDirectory();
    for (const bits of [0o777, 0o720, 0o1777]) {
      await chmod(directory.path, bits);
      await assert.rejects(SqliteStore.open({ path: join(directory.path, 'state.db') }), {
        code: 'invalid_config',
        message: /writable by others \(mode \d+\): make it 0700/,
      });
    }
    assert.deepEqual(await readdir(directory.path), []);
  });

  it('is refused where it is a directory', async () => {
    await using directory = await temporaryDirectory();
    const path = join(directory.path, 'state.db');
    await mkdir(path);
    await assert.rejects(SqliteStore.open({ path }), { code: 'invalid_config', message: /not a regular file/ });
  });

  it('is complete in itself when the store is closed, and readable for SQLite’s own tools', async () => {
    await using directory = await temporaryDirectory();
    const path = join(directory.path, 'state.db');
    const store = await SqliteStore.open({ path });
    await store.commit({ put: [{ key: 'a', value: '1' }] });
    await close(store);
    await close(store);
    const copy = join(directory.path, 'copy.db');
    await copyFile(path, copy);
    const database = await openDatabase(copy);
    assert.equal(database.prepare('SELECT value FROM entry').get()?.['value'], '1');
    database.close();
  });

  it('a closed store refuses with unavailable, and what was submitted before is committed', async () => {
    await using directory = await temporaryDirectory();
    const path = join(directory.path, 'state.db');
    const store = await SqliteStore.open({ path });
    const pending = store.commit({ put: [{ key: 'a', value: '1' }] });
    await close(store);
    const revision = await pending;
    for (const refused of [store.get('a'), store.range(''), store.commit({}), store.revision(), store.compact()])
      await assert.rejects(refused, { code: 'unavailable', message: 'the store is closed' });
    assert.equal(await store.sweep(), 0);
    await using again = await SqliteStore.open({ path });
    assert.equal((await again.get('a'))?.revision, revision);
  });
});

describe('the schema of an SQLite store', () => {
  const prepared = async (path: string, sql: string): Promise<Buffer> => {
    await close(await SqliteStore.open({ path }));
    await alter(path, sql);
    return readFile(path);
  };

  it('of a newer program is refused and left alone', async () => {
    await using directory = await temporaryDirectory();
    const path = join(directory.path, 'state.db');
    const before = await prepared(path, `PRAGMA user_version = ${schemaVersion + 1}`);
    await assert.rejects(SqliteStore.open({ path }), { code: 'unavailable', message: /written by a newer postern/ });
    assert.deepEqual(await readFile(path), before);
  });

  it('of another program is refused and left alone', async () => {
    await using directory = await temporaryDirectory();
    const path = join(directory.path, 'other.db');
    await alter(path, 'CREATE TABLE entry (key TEXT)');
    await assert.rejects(SqliteStore.open({ path }), { code: 'invalid_config', message: /another program/ });
    const database = await openDatabase(path);
    assert.equal(database.prepare('SELECT count(*) AS count FROM sqlite_schema').get()?.['count'], 1);
    database.close();
  });

  it('a file that is no database, or a broken one, is refused and left alone', async () => {
    await using directory = await temporaryDirectory();
    const path = join(directory.path, 'state.db');
    const whole = await prepared(path, 'PRAGMA user_version');
    const contents = [Buffer.from('not a database '.repeat(100)), whole.subarray(0, whole.length - 4096)];
    for (const [index, content] of contents.entries()) {
      const broken = join(directory.path, `${index}.db`);
      await writeFile(broken, content);
      await assert.rejects(SqliteStore.open({ path: broken }), { code: 'unavailable' });
      assert.deepEqual(await readFile(broken), content);
    }
  });

  it('a database that cannot be made durable is refused', async () => {
    const database = await openDatabase(':memory:');
    assert.throws(() => configure(database, false), { code: 'unavailable', message: /journal_mode is memory/ });
    configure(database, true);
    assert.deepEqual({ ...database.prepare('PRAGMA synchronous').get() }, { synchronous: 2 });
    database.close();
  });
});

describe('two processes at one SQLite store', function () {
  this.timeout(30_000);
  const inUse = { code: 'unavailable', message: /already in use by another postern process$/ };

  it('the second is refused, and the first goes on', async () => {
    await using directory = await temporaryDirectory();
    const path = join(directory.path, 'state.db');
    await using store = await SqliteStore.open({ path });
    await using second = new Child(holding, [path]);
    assert.match((await second.line()) ?? '', /^unavailable: .*already in use by another postern process$/);
    await second.end();
    await store.commit({ put: [{ key: 'a', value: '1' }] });
  });

  it('the lock dies with the process that held it, even by kill -9', async () => {
    await using directory = await temporaryDirectory();
    const path = join(directory.path, 'state.db');
    await using first = new Child(holding, [path]);
    assert.equal(await first.line(), 'open');
    await assert.rejects(SqliteStore.open({ path }), inUse);
    first.kill();
    await first.end();
    await using store = await SqliteStore.open({ path });
    await store.commit({ put: [{ key: 'a', value: '1' }] });
  });

  it('one process does not open it twice either, and is no worse off for trying', async () => {
    await using directory = await temporaryDirectory();
    const path = join(directory.path, 'state.db');
    await using store = await SqliteStore.open({ path });
    await store.commit({ put: [{ key: 'a', value: '1' }] });
    await assert.rejects(SqliteStore.open({ path }), inUse);
    await using other = new Child(holding, [path]);
    assert.match((await other.line()) ?? '', /already in use/);
  });

  it('another name for the file meets the same lock', async () => {
    await using directory = await temporaryDirectory();
    const path = join(directory.path, 'state.db');
    await using _store = await SqliteStore.open({ path });
    await symlink(path, join(directory.path, 'alias.db'));
    await mkdir(join(directory.path, 'elsewhere'), { mode: 0o700 });
    await symlink(directory.path, join(directory.path, 'elsewhere', 'linked'));
    await assert.rejects(SqliteStore.open({ path: join(directory.path, 'alias.db') }), inUse);
    await assert.rejects(SqliteStore.open({ path: join(directory.path, 'elsewhere', 'linked', 'state.db') }), inUse);
  });

  it('a file with a second hard link, which no lock would cover, is refused', async () => {
    await using directory = await temporaryDirectory();
    const path = join(directory.path, 'state.db');
    await close(await SqliteStore.open({ path }));
    await link(path, join(directory.path, 'hard.db'));
    await assert.rejects(SqliteStore.open({ path }), { code: 'invalid_config', message: /hard link/ });
  });

  it('a shell that holds the write lock makes commits unavailable, and leaves nothing of them', async () => {
    await using directory = await temporaryDirectory();
    const path = join(directory.path, 'state.db');
    await using store = await SqliteStore.open({ path });
    const shell = await openDatabase(path);
    shell.exec('BEGIN IMMEDIATE');
    const put = (key: string): Promise<number> => store.commit({ put: [{ key, value: '' }] });
    const outcomes = await Promise.allSettled([put('a'), put('b')]);
    for (const outcome of outcomes) {
      assert.equal(outcome.status, 'rejected');
      assert.equal((outcome.reason as { code: string }).code, 'unavailable');
    }
    shell.exec('ROLLBACK');
    shell.close();
    await put('c');
    assert.deepEqual(
      (await store.range('')).map(({ key }) => key),
      ['c'],
    );
  });
});
