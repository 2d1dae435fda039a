import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Store } from '../../src/storage/index.js';
import { until } from '../../../test/support/cluster.js';
import { take } from './conformance-harness.js';
import { remoteBackends, type RemoteServer } from './remote-backends.js';

const full = process.env['POSTERN_TEST_FULL'] === '1';
const rounds = full ? 30 : 2;

interface Writing {
  readonly acknowledged: Map<number, number>;
  stop(): Promise<number>;
}

/** Writes 1, 2, 3 … under two keys each, one after the other, whatever happens; stops when told. */
function writeForever(store: Store): Writing {
  const acknowledged = new Map<number, number>();
  let stopped = false;
  const work = async (): Promise<number> => {
    let number = 1;
    for (; !stopped; number++) {
      const value = String(number);
      const put = ['one', 'two'].map((key) => ({ key: `${key}/${value}`, value }));
      try {
        acknowledged.set(number, await store.commit({ put }));
      } catch (error) {
        assert.equal((error as { code: string }).code, 'unavailable');
        await sleep(20);
      }
    }
    return number;
  };
  const done = work();
  return {
    acknowledged,
    stop: () => {
      stopped = true;
      return done;
    },
  };
}

for (const backend of remoteBackends)
  describe(`when ${backend.name} fails`, function () {
    this.timeout(full ? 900_000 : 90_000);
    let server: RemoteServer;
    before(async function () {
      server = await backend.start(this);
    });
    after(() => server?.[Symbol.asyncDispose]());

    it(`keeps every acknowledged commit, and watchers miss and repeat none, through ${rounds} rounds of kill -9`, async () => {
      await using store = await backend.open(server, 'killed', { timeoutMs: 5_000, patienceMs: 600_000 });
      const seen: string[] = [];
      const abort = new AbortController();
      const since = await store.revision();
      const watching = (async () => {
        let last = since;
        for await (const batch of store.watch('', since, abort.signal)) {
          assert.ok((batch[0]?.revision ?? 0) > last, 'the feed goes forward');
          last = batch[0]?.revision ?? 0;
          assert.equal(batch.length, 2, 'a commit comes as a whole');
          for (const change of batch) if (change.kind === 'put') seen.push(`${change.entry.key}@${change.revision}`);
        }
      })();
      const writing = writeForever(store);
      for (let round = 0; round < rounds; round++) {
        const before = writing.acknowledged.size;
        await until(() => writing.acknowledged.size > before + 20, 30_000);
        await sleep(Math.random() * 50);
        await server.kill();
        await server.begin();
      }
      const before = writing.acknowledged.size;
      await until(() => writing.acknowledged.size > before, 30_000);
      await writing.stop();
      const entries = await store.range('');
      const stored = new Map(entries.map(({ key, revision }) => [key, revision]));
      for (const [number, revision] of writing.acknowledged)
        for (const key of ['one', 'two']) assert.equal(stored.get(`${key}/${number}`), revision);
      await until(() => seen.length >= entries.length, 30_000);
      abort.abort();
      await watching;
      assert.deepEqual(seen.sort(), entries.map(({ key, revision }) => `${key}@${revision}`).sort());
    });

    it('says so at once when it is away, cannot be opened, and works again when it is back', async () => {
      await using store = await backend.open(server, 'away', { timeoutMs: 5_000 });
      await store.commit({ put: [{ key: 'a', value: '1' }] });
      await server.kill();
      const refused = { name: 'PosternError', code: 'unavailable' };
      const began = performance.now();
      await assert.rejects(store.get('a'), refused);
      await assert.rejects(store.range(''), refused);
      await assert.rejects(store.revision(), refused);
      await assert.rejects(store.commit({ put: [{ key: 'b', value: '' }] }), refused);
      await assert.rejects(backend.open(server, 'away', { timeoutMs: 5_000 }), refused);
      assert.ok(performance.now() - began < 10_000);
      await until(() => !store.health.ready, 15_000);
      assert.ok((store.health.reason ?? '') !== '');
      await server.begin();
      await until(() => store.health.ready, 15_000);
      assert.equal((await store.get('a'))?.value, '1');
      await store.commit({ put: [{ key: 'b', value: '2' }] });
    });

    it('does not hang where connections stay and nobody answers', async () => {
      await using store = await backend.open(server, 'silent', { timeoutMs: 1_000 });
      await store.commit({ put: [{ key: 'a', value: '1' }] });
      await server.signal('SIGSTOP');
      try {
        const began = performance.now();
        await assert.rejects(store.get('a'), { code: 'unavailable' });
        await assert.rejects(store.commit({ put: [{ key: 'a', value: '2' }] }), { code: 'unavailable' });
        assert.ok(performance.now() - began < 15_000);
      } finally {
        await server.signal('SIGCONT');
      }
      await until(async () => (await store.get('a').catch(() => undefined)) !== undefined, 15_000);
    });

    it('lets watchers wait for it as long as was said, and no longer', async () => {
      await using store = await backend.open(server, 'patience', { timeoutMs: 1_000, patienceMs: 1_500 });
      const since = await store.commit({ put: [{ key: 'a', value: '1' }] });
      const began = performance.now();
      const failed = assert.rejects(take(store.watch('', since, new AbortController().signal), 1), {
        code: 'unavailable',
        message: /out of reach/,
      });
      await server.kill();
      await failed;
      assert.ok(performance.now() - began > 1_400);
      await server.begin();
    });
  });
