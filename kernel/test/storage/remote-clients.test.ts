import assert from 'node:assert/strict';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import type { Change, Store } from '../../src/storage/index.js';
import { show, take } from './conformance-harness.js';
import { remoteBackends, type RemoteServer } from './remote-backends.js';

const watch = (store: Store, since: number): AsyncIterable<readonly Change[]> =>
  store.watch('', since, new AbortController().signal);

/** Reads, checks and writes until it has added one. */
async function increment(store: Store): Promise<number> {
  for (;;) {
    const { value = '0', revision = 0 } = (await store.get('count')) ?? {};
    try {
      const put = [{ key: 'count', value: String(Number(value) + 1) }];
      return await store.commit({ check: [{ key: 'count', revision }], put });
    } catch (error) {
      assert.equal((error as { code: string }).code, 'conflict');
    }
  }
}

/** Of half a MiB each. */
const commits = process.env['POSTERN_TEST_FULL'] === '1' ? 200 : 40;

/** What is in use once all that can be collected is. */
function memory(): number {
  setFlagsFromString('--expose-gc');
  (runInNewContext('gc') as () => void)();
  const { heapUsed, arrayBuffers } = process.memoryUsage();
  return heapUsed + arrayBuffers;
}

for (const backend of remoteBackends)
  describe(`two clients of one state in ${backend.name}`, function () {
    this.timeout(60_000);
    let server: RemoteServer;
    let names = 0;

    before(async function () {
      server = await backend.start(this, 'quick');
    });
    after(() => server?.[Symbol.asyncDispose]());

    const pair = async () => {
      const name = `pair_${names++}`;
      return [await backend.open(server, name), await backend.open(server, name)] as const;
    };

    it('that open it for the first time at once both find it', async () => {
      const opened = await Promise.all([1, 2, 3].map(() => backend.open(server, 'first')));
      for (const store of opened) await store.commit({ put: [{ key: 'a', value: '' }] });
      for (const store of opened) await store[Symbol.asyncDispose]();
    });

    it('lose no increment, and both see all of them in one order, without gap or repetition', async () => {
      const [one, other] = await pair();
      await using _one = one;
      await using _other = other;
      const since = await one.revision();
      const seen = [one, other].map((store) => take(watch(store, since), 40));
      const workers = [one, other, one, other].map(async (store) => {
        const revisions: number[] = [];
        for (let turn = 0; turn < 10; turn++) revisions.push(await increment(store));
        return revisions;
      });
      const revisions = (await Promise.all(workers)).flat().sort((a, b) => a - b);
      assert.equal((await one.get('count'))?.value, '40');
      const wanted = revisions.map((revision, index) => `put count=${index + 1}@${revision}`);
      for (const batches of await Promise.all(seen)) assert.deepEqual(batches.flat().map(show), wanted);
    });

    it('are told apart by nothing: of two that claim a key, one wins, each time', async () => {
      const [one, other] = await pair();
      await using _one = one;
      await using _other = other;
      for (let round = 0; round < 20; round++) {
        const check = [{ key: `claim/${round}`, revision: 0 }];
        const outcomes = await Promise.allSettled(
          [one, other].map((store, index) =>
            store.commit({ check, put: [{ key: `claim/${round}`, value: String(index) }] }),
          ),
        );
        assert.deepEqual(outcomes.map(({ status }) => status).sort(), ['fulfilled', 'rejected']);
        const winner = outcomes.findIndex(({ status }) => status === 'fulfilled');
        assert.equal((await other.get(`claim/${round}`))?.value, String(winner));
      }
    });

    it('expire alike for a past that one of them has compacted, and read on from where it begins', async () => {
      const [one, other] = await pair();
      await using _one = one;
      await using _other = other;
      const old = await one.commit({ put: [{ key: 'a', value: '1' }] });
      await one.commit({ delete: ['a'] });
      await one.compact();
      await assert.rejects(take(watch(other, old), 1), { code: 'expired' });
      const now = await other.revision();
      const next = take(watch(other, now), 1);
      const revision = await one.commit({ put: [{ key: 'b', value: '2' }] });
      assert.deepEqual((await next).flat().map(show), [`put b=2@${revision}`]);
    });

    it('read a snapshot as it was, whatever the other writes meanwhile', async () => {
      const [one, other] = await pair();
      await using _one = one;
      await using _other = other;
      const put = (value: string) => Array.from({ length: 100 }, (_, index) => ({ key: `k/${index}`, value }));
      await one.commit({ put: put('before') });
      await using snapshot = await one.snapshot();
      await other.commit({ put: put('after') });
      const values = new Set<string>();
      for await (const page of snapshot.pages()) for (const { value } of page) values.add(value);
      assert.deepEqual([...values], ['before']);
    });

    it('cost no memory for a watcher that is slow, which misses nothing', async () => {
      const [one, other] = await pair();
      await using _one = one;
      await using _other = other;
      const since = await one.revision();
      const slow = watch(one, since)[Symbol.asyncIterator]();
      const first = slow.next();
      const value = 'x'.repeat(512 * 1024);
      const revisions = [await other.commit({ put: [{ key: 'k', value }] })];
      await first;
      const before = memory();
      for (let count = 1; count < commits; count++) revisions.push(await other.commit({ put: [{ key: 'k', value }] }));
      const grown = memory() - before;
      assert.ok(grown < 10 * 1024 * 1024, `${grown} bytes of ${commits / 2} MiB`);
      const seen = [since];
      for (let count = 1; count < commits; count++)
        seen.push(((await slow.next()).value as Change[])[0]?.revision ?? 0);
      assert.deepEqual(seen.slice(1), revisions.slice(1));
      await slow.return?.();
    });
  });
