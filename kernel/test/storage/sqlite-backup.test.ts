import assert from 'node:assert/strict';
import { readdir, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { SqliteStore } from '../../src/storage/index.js';
import { show, take } from './conformance-harness.js';
import { ManualClock, temporaryDirectory } from './sqlite-harness.js';

const signal = new AbortController().signal;

describe('a backup of an SQLite store', () => {
  it('is a private file with every entry, and appears only when it is complete', async () => {
    await using directory = await temporaryDirectory();
    const copy = join(directory.path, "it's a copy.db");
    const store = await SqliteStore.open({ path: ':memory:' });
    await store.commit({ put: [{ key: 'a', value: '1' }] });
    await store.commit({ put: [{ key: 'b', value: '2', expires: new Date(Date.now() + 3_600_000) }] });
    const entries = await store.range('');
    await store.backup(copy);
    await store[Symbol.asyncDispose]();
    assert.deepEqual(await readdir(directory.path), ["it's a copy.db"]);
    assert.equal((await stat(copy)).mode & 0o777, 0o600);
    await using restored = await SqliteStore.open({ path: copy });
    assert.deepEqual(await restored.range(''), entries);
  });

  it('is consistent while others commit', async () => {
    await using directory = await temporaryDirectory();
    const copy = join(directory.path, 'copy.db');
    await using store = await SqliteStore.open({ path: join(directory.path, 'state.db') });
    const write = (value: string): Promise<number> => store.commit({ put: ['a', 'b'].map((key) => ({ key, value })) });
    await write('0');
    const writing = Array.from({ length: 20 }, (_, index) => write(String(index + 1)));
    await Promise.all([store.backup(copy), ...writing]);
    await using restored = await SqliteStore.open({ path: copy });
    const [a, b] = await restored.range('');
    assert.equal(a?.value, b?.value);
    assert.equal((await store.get('a'))?.value, '20');
  });

  it('never replaces a file, and leaves nothing behind when it fails', async () => {
    await using directory = await temporaryDirectory();
    await using store = await SqliteStore.open({ path: ':memory:' });
    const path = join(directory.path, 'precious');
    await writeFile(path, 'precious');
    await assert.rejects(store.backup(path), { code: 'already_exists' });
    await assert.rejects(store.backup(join(directory.path, 'missing', 'copy.db')), { code: 'unavailable' });
    assert.deepEqual(await readdir(directory.path), ['precious']);
  });

  it('restored, cannot be taken for its original by a watcher that has seen more', async () => {
    await using directory = await temporaryDirectory();
    const clock = new ManualClock();
    const copy = join(directory.path, 'copy.db');
    await using original = await SqliteStore.open({ path: ':memory:', now: clock.now });
    const old = await original.commit({ put: [{ key: 'a', value: '1' }] });
    await original.backup(copy);
    let seen = old;
    for (let count = 0; count < 10; count++) seen = await original.commit({ put: [{ key: 'b', value: '' }] });

    await using restored = await SqliteStore.open({ path: copy, now: clock.now });
    const entry = await restored.get('a');
    assert.equal(entry?.revision, old);
    const revision = await restored.revision();
    assert.ok(revision > seen);
    for (const since of [0, old, seen, revision - 1])
      await assert.rejects(take(restored.watch('', since, signal), 1), { code: 'expired' });
    await restored.commit({ check: [{ key: 'a', revision: old }], put: [{ key: 'a', value: '2' }] });
    assert.deepEqual((await take(restored.watch('', revision, signal), 1)).flat().map(show), [
      `put a=2@${revision + 1}`,
    ]);
  });

  it('restored twice, does not give out the same revisions twice', async () => {
    await using directory = await temporaryDirectory();
    const clock = new ManualClock();
    await using original = await SqliteStore.open({ path: ':memory:', now: clock.now });
    const revisions: number[] = [];
    for (const name of ['first', 'second']) {
      await original.backup(join(directory.path, name));
      clock.advance(1_000);
      const restored = await SqliteStore.open({ path: join(directory.path, name), now: clock.now });
      await restored.commit({ put: [{ key: 'a', value: '' }] });
      revisions.push(await restored.revision());
      await restored[Symbol.asyncDispose]();
      const again = await SqliteStore.open({ path: join(directory.path, name), now: clock.now });
      assert.equal(await again.revision(), revisions.at(-1), 'it is marked once');
      await again[Symbol.asyncDispose]();
    }
    assert.equal(new Set(revisions).size, 2);
  });
});
