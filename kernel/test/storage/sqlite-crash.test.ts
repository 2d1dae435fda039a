import assert from 'node:assert/strict';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { SqliteStore } from '../../src/storage/index.js';
import { openDatabase } from '../../src/storage/sqlite-driver.js';
import { Child } from './child-process.js';
import { take } from './conformance-harness.js';
import { temporaryDirectory } from './sqlite-harness.js';

const committing = new URL('./children/commit-forever.ts', import.meta.url);
const filling = new URL('./children/fill-disk.ts', import.meta.url);

const rounds = process.env['POSTERN_TEST_FULL'] === '1' ? 50 : 5;

/** Lets a child commit, and kills it at a random moment: mostly while it commits, sometimes while it starts. */
async function commitAndKill(path: string, round: number): Promise<readonly string[]> {
  const child = new Child(committing, [path]);
  if (round % 4 !== 3) await child.line();
  await sleep(Math.random() * (round % 4 === 3 ? 1_000 : 200));
  child.kill();
  await child.end();
  // A last line without its end is not an acknowledgement that anybody has read.
  return child.lines.filter((line) => /^\d+ \d+$/.test(line));
}

async function checkIntegrity(path: string): Promise<void> {
  const database = await openDatabase(path);
  try {
    assert.deepEqual(
      database
        .prepare('PRAGMA integrity_check')
        .all()
        .map((row) => ({ ...row })),
      [{ integrity_check: 'ok' }],
    );
  } finally {
    database.close();
  }
}

/** The newest revisions of the feed: one batch to each, none missing. */
async function checkFeed(store: SqliteStore): Promise<void> {
  const head = await store.revision();
  const since = Math.max(0, head - 150);
  const batches = head === 0 ? [] : await take(store.watch('', since, new AbortController().signal), head - since);
  assert.deepEqual(
    batches.map((batch) => batch[0]?.revision),
    Array.from({ length: head - since }, (_, index) => since + index + 1),
  );
}

describe('SQLite when the process is killed', () => {
  it(`keeps every acknowledged commit, whole and in order, through ${rounds} rounds of kill -9`, async function () {
    this.timeout(rounds * 30_000);
    await using directory = await temporaryDirectory();
    const path = join(directory.path, 'state.db');
    const acknowledged = new Map<string, number>();

    for (let round = 0; round < rounds; round++) {
      for (const line of await commitAndKill(path, round)) {
        const [number = '', revision] = line.split(' ');
        acknowledged.set(number, Number(revision));
      }
      const store = await SqliteStore.open({ path });
      const one = new Map((await store.range('one/')).map((entry) => [entry.value, entry.revision]));
      const two = new Map((await store.range('two/')).map((entry) => [entry.value, entry.revision]));
      for (const [number, revision] of acknowledged) assert.equal(one.get(number), revision, `commit ${number}`);
      assert.deepEqual(two, one, 'a commit is there as a whole or not at all');
      assert.equal(one.size, Number((await store.get('last'))?.value ?? 0), 'no commit before the last is missing');
      const inOrder = [...one].sort((a, b) => Number(a[0]) - Number(b[0])).map(([, revision]) => revision);
      assert.deepEqual(
        inOrder,
        inOrder.toSorted((a, b) => a - b),
      );
      await checkFeed(store);
      await store[Symbol.asyncDispose]();
      await checkIntegrity(path);
    }
    assert.ok(acknowledged.size > rounds, 'the children did commit');
  });
});

describe('SQLite when the disk is full', () => {
  it('refuses with unavailable, still reads, and has every acknowledged commit and no other', async function () {
    this.timeout(60_000);
    await using directory = await temporaryDirectory();
    const path = join(directory.path, 'state.db');
    await (await SqliteStore.open({ path }))[Symbol.asyncDispose]();
    await using child = new Child(filling, [path], 2_000);
    await child.end();
    assert.equal(child.lines.at(-1), 'read');
    const acknowledged = child.lines.filter((line) => line.startsWith('ack ')).map((line) => line.slice(4));
    const refused = child.lines.filter((line) => !/^(ack .*|read)$/.test(line));
    assert.ok(acknowledged.length > 10);
    assert.deepEqual(new Set(refused), new Set(['unavailable']));

    await using store = await SqliteStore.open({ path });
    const keys = (await store.range('')).map(({ key }) => key);
    assert.deepEqual(keys, acknowledged.toSorted());
    await store.commit({ put: [{ key: 'after', value: '' }] });
    await store[Symbol.asyncDispose]();
    await checkIntegrity(path);
  });
});

describe('SQLite when a statement fails', () => {
  it('undoes the half of the commit that was written, and the commits that shared its transaction', async () => {
    await using directory = await temporaryDirectory();
    const path = join(directory.path, 'state.db');
    await (await SqliteStore.open({ path }))[Symbol.asyncDispose]();
    const database = await openDatabase(path);
    database.exec(`CREATE TRIGGER broken BEFORE INSERT ON event WHEN NEW.key = 'broken'
      BEGIN SELECT RAISE(FAIL, 'disk I/O error'); END`);
    database.close();

    await using store = await SqliteStore.open({ path });
    const put = (...keys: string[]): Promise<number> => store.commit({ put: keys.map((key) => ({ key, value: '' })) });
    const outcomes = await Promise.allSettled([put('before'), put('half', 'broken'), put('after')]);
    for (const outcome of outcomes) {
      assert.equal(outcome.status, 'rejected');
      assert.equal((outcome.reason as { code: string }).code, 'unavailable');
    }
    assert.deepEqual(await store.range(''), []);
    const revision = await put('later');
    const [batch] = await take(store.watch('', 0, new AbortController().signal), 1);
    assert.deepEqual(batch, [{ kind: 'put', entry: { key: 'later', value: '', revision }, revision }]);
  });
});
