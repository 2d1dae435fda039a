import assert from 'node:assert/strict';
import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { SqliteStore } from '../../src/storage/index.js';
import { openDatabase } from '../../src/storage/sqlite-driver.js';
import { show, take } from './conformance-harness.js';
import { ManualClock, temporaryDirectory } from './sqlite-harness.js';

const signal = new AbortController().signal;

async function fill(store: SqliteStore, count: number, value = ''): Promise<void> {
  for (let written = 0; written < count; written += 100)
    await Promise.all(
      Array.from({ length: Math.min(100, count - written) }, (_, index) =>
        store.commit({ put: [{ key: `k/${index}`, value }] }),
      ),
    );
}

/** The oldest revision from which the store still serves its feed. */
async function oldest(store: SqliteStore): Promise<number> {
  let low = 0;
  let high = await store.revision();
  while (low < high) {
    const middle = Math.floor((low + high) / 2);
    const served = await take(store.watch('', middle, signal), 1).then(
      () => true,
      () => false,
    );
    if (served) high = middle;
    else low = middle + 1;
  }
  return low;
}

describe('the change feed of an SQLite store', () => {
  it('keeps the configured number of revisions, and not many more', async () => {
    await using store = await SqliteStore.open({ path: ':memory:', keepRevisions: 100 });
    await fill(store, 109);
    assert.equal(await oldest(store), 0);
    await fill(store, 1_000);
    const kept = (await store.revision()) - (await oldest(store));
    assert.ok(kept >= 100 && kept <= 110 + 100, `${kept} revisions`);
  });

  it('keeps the configured number of bytes, and not many more', async () => {
    await using store = await SqliteStore.open({ path: ':memory:', keepBytes: 1_000_000 });
    for (let count = 0; count < 40; count++) await store.commit({ put: [{ key: 'k', value: 'x'.repeat(100_000) }] });
    const kept = (await store.revision()) - (await oldest(store));
    assert.ok(kept >= 9 && kept <= 11, `${kept} revisions`);
  });

  it('keeps to its bounds from the first commit after a restart', async () => {
    await using directory = await temporaryDirectory();
    const path = join(directory.path, 'state.db');
    const store = await SqliteStore.open({ path });
    for (let count = 0; count < 20; count++) await store.commit({ put: [{ key: 'k', value: 'x'.repeat(100_000) }] });
    await store[Symbol.asyncDispose]();
    await using again = await SqliteStore.open({ path, keepBytes: 1_000_000 });
    await again.commit({ put: [{ key: 'k', value: '' }] });
    const kept = (await again.revision()) - (await oldest(again));
    assert.ok(kept >= 9 && kept <= 11, `${kept} revisions`);
  });

  it('a watcher that never reads on costs no memory and no disk, and expires', async () => {
    await using directory = await temporaryDirectory();
    const path = join(directory.path, 'state.db');
    await using store = await SqliteStore.open({ path, keepRevisions: 50 });
    const feed = store.watch('', 0, signal)[Symbol.asyncIterator]();
    const first = feed.next();
    await fill(store, 1);
    assert.equal((await first).done, false);
    await fill(store, 100, 'x'.repeat(10_000));
    const before = process.memoryUsage();
    await fill(store, 3_000, 'x'.repeat(10_000));
    const after = process.memoryUsage();
    const grown = after.heapUsed + after.external - before.heapUsed - before.external;
    assert.ok(grown < 20_000_000, `${grown} bytes, of 30 MB that were written`);
    assert.ok((await stat(path)).size < 10_000_000);
    await assert.rejects(feed.next(), { code: 'expired', message: /the changes after \d+ are gone/ });
  });
});

describe('the sweeper of an SQLite store', () => {
  it('deletes expired entries by itself', async () => {
    const clock = new ManualClock();
    await using store = await SqliteStore.open({ path: ':memory:', now: clock.now, sweepIntervalMs: 1 });
    const expires = new Date(clock.now().getTime() + 10);
    const revision = await store.commit({ put: [{ key: 'a', value: '', expires }] });
    const next = take(store.watch('', revision, signal), 1);
    clock.advance(10);
    assert.deepEqual((await next).flat().map(show), [`delete a@${revision + 1}`]);
  });

  it('deletes many in bounded transactions, longest overdue first', async () => {
    const clock = new ManualClock();
    await using store = await SqliteStore.open({ path: ':memory:', now: clock.now, sweepIntervalMs: 2 ** 31 - 1 });
    const start = clock.now().getTime();
    for (const part of [2, 1, 0])
      await store.commit({
        put: Array.from({ length: 100 }, (_, index) => ({
          key: `${part}/${index}`,
          value: '',
          expires: new Date(start + part * 100 + index),
        })),
      });
    const since = await store.revision();
    clock.advance(1_000);
    assert.equal(await store.sweep(), 300);
    const batches = await take(store.watch('', since, signal), 3);
    assert.deepEqual(
      batches.map((batch) => batch.length),
      [128, 128, 44],
    );
    assert.equal(
      batches[0]?.every((change) => change.kind === 'delete' && /^[01]\//.test(change.key)),
      true,
    );
    assert.equal(await store.sweep(), 0);
  });

  it('reports what keeps it from sweeping, and tries again', async () => {
    await using directory = await temporaryDirectory();
    const path = join(directory.path, 'state.db');
    const failures: unknown[] = [];
    let report = (): void => undefined;
    const reported = new Promise<void>((resolve) => (report = resolve));
    const log = {
      error: (message: string, fields?: object): void => {
        failures.push([message, (fields as { cause: { code: string } }).cause.code]);
        report();
      },
    };
    await using store = await SqliteStore.open({ path, log, sweepIntervalMs: 5 });
    const revision = await store.commit({ put: [{ key: 'a', value: '', expires: new Date(0) }] });
    const shell = await openDatabase(path);
    shell.exec('BEGIN IMMEDIATE');
    await reported;
    shell.exec('ROLLBACK');
    shell.close();
    assert.deepEqual(failures[0], ['cannot sweep expired entries', 'unavailable']);
    assert.equal((await take(store.watch('', revision - 1, signal), 2))[1]?.[0]?.kind, 'delete');
  });
});
