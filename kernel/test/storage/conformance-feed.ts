import assert from 'node:assert/strict';
import { follow, type Change, type Store } from '../../src/storage/index.js';
import { show, showBatch, take, type OpenHarness, type StoreTraits } from './conformance-harness.js';

const put = (store: Store, key: string, value = ''): Promise<number> => store.commit({ put: [{ key, value }] });

const watch = (store: Store, prefix: string, since: number): AsyncIterable<readonly Change[]> =>
  store.watch(prefix, since, new AbortController().signal);

export function feedConformance(open: OpenHarness, traits: StoreTraits): void {
  describe('the change feed', () => {
    it('has every change after a revision, and not that revision’s own', async () => {
      await using harness = await open();
      const { store } = harness;
      const since = await put(store, 'a', '0');
      const wanted = [
        `put a=1@${await put(store, 'a', '1')}`,
        `put b=1@${await put(store, 'b', '1')}`,
        `delete a@${await store.commit({ delete: ['a'] })}`,
      ];
      assert.deepEqual((await take(watch(store, '', since), 3)).flat().map(show), wanted);
      assert.deepEqual((await take(watch(store, '', since + 1), 2)).flat().map(show), wanted.slice(1));
    });

    it('has one batch to a commit', async () => {
      await using harness = await open();
      const { store } = harness;
      const since = await put(store, 'a');
      const first = await store.commit({
        put: [
          { key: 'b', value: '1' },
          { key: 'c', value: '1' },
        ],
        delete: ['a'],
      });
      const second = await put(store, 'd', '1');
      const batches = await take(watch(store, '', since), 2);
      assert.deepEqual(batches.map(showBatch), [
        [`delete a@${first}`, `put b=1@${first}`, `put c=1@${first}`],
        [`put d=1@${second}`],
      ]);
    });

    it('has only the keys under its prefix, and no batch for commits without any', async () => {
      await using harness = await open();
      const { store } = harness;
      const since = await store.revision();
      await store.commit({ put: ['x/1', 'y/1', 'x', 'x0'].map((key) => ({ key, value: '' })) });
      await put(store, 'y/2');
      await put(store, 'x/2');
      const batches = await take(watch(store, 'x/', since), 2);
      assert.deepEqual(
        batches.flat().map((change) => change.kind === 'put' && change.entry.key),
        ['x/1', 'x/2'],
      );
    });

    it('carries entries as they were written, with their expiry', async () => {
      await using harness = await open();
      const since = await harness.store.revision();
      const expires = new Date(harness.now().getTime() + 3_600_000);
      const revision = await harness.store.commit({ put: [{ key: 'a', value: 'é\n', expires }] });
      const [batch] = await take(watch(harness.store, '', since), 1);
      assert.deepEqual(batch, [{ kind: 'put', entry: { key: 'a', value: 'é\n', revision, expires }, revision }]);
    });

    it('waits for what is still to come', async () => {
      await using harness = await open();
      const { store } = harness;
      const next = take(watch(store, 'x/', await store.revision()), 2);
      await put(store, 'y/1');
      const first = await put(store, 'x/1', '1');
      await put(store, 'y/2');
      const second = await put(store, 'x/2', '2');
      assert.deepEqual((await next).flat().map(show), [`put x/1=1@${first}`, `put x/2=2@${second}`]);
    });

    it('has nothing of a commit that was refused', async () => {
      await using harness = await open();
      const { store } = harness;
      const since = await put(store, 'a');
      await assert.rejects(store.commit({ check: [{ key: 'a', revision: 0 }], put: [{ key: 'b', value: '' }] }));
      await store.commit({ delete: ['b'] });
      await put(store, 'c');
      const [batch] = await take(watch(store, '', since), 1);
      assert.deepEqual(
        batch?.map((change) => change.kind === 'put' && change.entry.key),
        ['c'],
      );
    });

    it('ends when the signal aborts, while it waits and before it starts', async () => {
      await using harness = await open();
      const { store } = harness;
      await put(store, 'a');
      const abort = new AbortController();
      const feed = store.watch('', await store.revision(), abort.signal)[Symbol.asyncIterator]();
      const waiting = feed.next();
      await put(store, 'b');
      assert.equal((await waiting).done, false);
      const idle = feed.next();
      abort.abort();
      assert.equal((await idle).done, true);
      assert.equal((await store.watch('', 0, abort.signal)[Symbol.asyncIterator]().next()).done, true);
    });

    it('serves many watchers, each at its own pace, the slow one without gaps', async () => {
      await using harness = await open();
      const { store } = harness;
      const since = await store.revision();
      const slow = watch(store, '', since)[Symbol.asyncIterator]();
      const fast = [1, 2, 3].map(() => take(watch(store, '', since), 50));
      const first = slow.next();
      const wanted: string[] = [];
      for (let count = 0; count < 50; count++) wanted.push(`put k=${count}@${await put(store, 'k', String(count))}`);
      for (const batches of await Promise.all(fast)) assert.deepEqual(batches.flat().map(show), wanted);
      const late: Change[] = [...((await first).value as Change[])];
      while (late.length < 50) late.push(...((await slow.next()).value as Change[]));
      assert.deepEqual(late.map(show), wanted);
    });

    if (traits.persistent)
      it('goes on after a restart', async () => {
        await using harness = await open();
        const since = await put(harness.store, 'a', '1');
        const second = await put(harness.store, 'a', '2');
        const store = await harness.reopen();
        const third = await put(store, 'a', '3');
        const batches = await take(watch(store, '', since), 2);
        assert.deepEqual(batches.flat().map(show), [`put a=2@${second}`, `put a=3@${third}`]);
      });

    it('ends with unavailable, not as if it were complete, when the store closes', async () => {
      await using harness = await open();
      const feed = take(watch(harness.store, '', await harness.store.revision()), 1);
      const refused = assert.rejects(feed, { code: 'unavailable' });
      await harness.store[Symbol.asyncDispose]();
      await refused;
    });
  });

  describe('a change feed that was compacted', () => {
    it('expires those who lag behind, and nobody else', async () => {
      await using harness = await open();
      const { store } = harness;
      const old = await put(store, 'a', '1');
      const last = await put(store, 'a', '2');
      const waiting = take(watch(store, '', last), 1);
      await harness.compact();
      await assert.rejects(take(watch(store, '', old), 1), { code: 'expired' });
      await assert.rejects(take(watch(store, 'unrelated/', old), 1), { code: 'expired' });
      const next = `put a=3@${await put(store, 'a', '3')}`;
      assert.deepEqual((await waiting).flat().map(show), [next]);
      assert.deepEqual((await take(watch(store, '', last), 1)).flat().map(show), [next]);
    });

    it('does not expire a watcher of a quiet prefix that has read everything', async () => {
      await using harness = await open();
      const { store } = harness;
      const quiet = take(watch(store, 'quiet/', await store.revision()), 1);
      for (let count = 0; count < 5; count++) await put(store, 'loud');
      await harness.compact();
      const revision = await put(store, 'quiet/a', '1');
      assert.deepEqual((await quiet).flat().map(show), [`put quiet/a=1@${revision}`]);
    });

    it('leaves the entries alone', async () => {
      await using harness = await open();
      const revision = await put(harness.store, 'a', '1');
      await harness.compact();
      assert.deepEqual(await harness.store.range(''), [{ key: 'a', value: '1', revision }]);
      assert.equal(await harness.store.revision(), revision);
    });

    it('a revision from the future is expired, since it is of another life of the store', async () => {
      await using harness = await open();
      const future = (await put(harness.store, 'a')) + 1_000;
      await assert.rejects(take(watch(harness.store, '', future), 1), { code: 'expired' });
    });
  });

  describe('a replica', () => {
    it('has a snapshot, then the changes, and a new snapshot when it was left behind', async () => {
      await using harness = await open();
      const { store } = harness;
      for (const page of [0, 1, 2])
        await store.commit({
          put: Array.from({ length: 100 }, (_, index) => ({ key: `r/${page}${index}`, value: '' })),
        });
      const abort = new AbortController();
      const replica = follow(store, 'r/', abort.signal);
      const first = (await replica.next()).value;
      assert.ok(first?.kind === 'snapshot' && first.entries.length === 300);
      const revision = await put(store, 'r/a', '1');
      const second = (await replica.next()).value;
      assert.ok(second?.kind === 'changes' && second.revision === revision);
      assert.deepEqual(second.changes.map(show), [`put r/a=1@${revision}`]);
      await store.commit({ delete: ['r/00'] });
      await put(store, 'elsewhere');
      await harness.compact();
      const third = (await replica.next()).value;
      assert.ok(third);
      // What was sent before the past was forgotten still arrives where there is a stream.
      if (third.kind === 'changes') assert.ok(third.changes[0]?.kind === 'delete' && third.changes[0].key === 'r/00');
      else assert.ok(third.entries.length === 300 && third.revision === (await store.revision()));
      abort.abort();
      assert.equal((await replica.next()).done, true);
    });
  });
}
