import assert from 'node:assert/strict';
import { show, take, type OpenHarness, type StoreHarness } from './conformance-harness.js';

const lifetime = 2_000;

const put = (harness: StoreHarness, key: string, value: string, expires = true): Promise<number> =>
  harness.store.commit({
    put: [{ key, value, ...(expires && { expires: new Date(harness.now().getTime() + lifetime) }) }],
  });

export function expiryConformance(open: OpenHarness): void {
  describe('expiry', function () {
    this.timeout(30_000);

    it('an entry says when it expires', async () => {
      await using harness = await open();
      const expires = new Date(harness.now().getTime() + 3_600_123);
      const revision = await harness.store.commit({ put: [{ key: 'a', value: '1', expires }] });
      assert.deepEqual(await harness.store.get('a'), { key: 'a', value: '1', revision, expires });
      assert.deepEqual(await harness.store.range(''), [{ key: 'a', value: '1', revision, expires }]);
    });

    it('an entry is there until it expires and then gone; others stay', async () => {
      await using harness = await open();
      await put(harness, 'a', '1');
      await put(harness, 'b', '1', false);
      assert.ok(await harness.store.get('a'));
      await harness.advance(lifetime);
      assert.equal(await harness.store.get('a'), undefined);
      assert.deepEqual(
        (await harness.store.range('')).map(({ key }) => key),
        ['b'],
      );
    });

    it('an entry that expired long before it was written is never seen', async () => {
      await using harness = await open();
      await harness.store.commit({ put: [{ key: 'a', value: '1', expires: new Date(0) }] });
      assert.equal(await harness.store.get('a'), undefined);
    });

    it('an expired entry does not exist for a check', async () => {
      await using harness = await open();
      const revision = await put(harness, 'a', '1');
      await harness.advance(lifetime);
      await assert.rejects(
        harness.store.commit({ check: [{ key: 'a', revision }], put: [{ key: 'a', value: 'stolen' }] }),
        { code: 'conflict' },
      );
      await harness.store.commit({ check: [{ key: 'a', revision: 0 }], put: [{ key: 'a', value: '2' }] });
      assert.equal((await harness.store.get('a'))?.value, '2');
    });

    it('another write extends it, and one without an expiry lifts it', async () => {
      await using harness = await open();
      await put(harness, 'extended', '1');
      await put(harness, 'lifted', '1');
      await harness.advance(lifetime / 2);
      await put(harness, 'extended', '2');
      await put(harness, 'lifted', '2', false);
      await harness.advance(lifetime / 2 + 1);
      assert.deepEqual(
        (await harness.store.range('')).map(({ key }) => key),
        ['extended', 'lifted'],
      );
      await harness.advance(lifetime);
      const [lifted, ...more] = await harness.store.range('');
      assert.equal(lifted?.key, 'lifted');
      assert.equal(lifted?.expires, undefined);
      assert.deepEqual(more, []);
    });

    it('shows up on the feed as a delete at a revision of its own', async () => {
      await using harness = await open();
      const since = await harness.store.revision();
      const revision = await put(harness, 'a', '1');
      await harness.advance(lifetime);
      await harness.sweep();
      const [first, second] = await take(harness.store.watch('', since, new AbortController().signal), 2);
      assert.deepEqual(first?.map(show), [`put a=1@${revision}`]);
      assert.equal(second?.[0]?.kind, 'delete');
      assert.ok((second?.[0]?.revision ?? 0) > revision);
    });

    it('is the same before and after it is swept', async () => {
      await using harness = await open();
      const { store } = harness;
      const revision = await put(harness, 'a', '1');
      await harness.advance(lifetime);
      await assert.rejects(store.commit({ check: [{ key: 'a', revision }], delete: ['a'] }), { code: 'conflict' });
      await harness.sweep();
      await assert.rejects(store.commit({ check: [{ key: 'a', revision }], delete: ['a'] }), { code: 'conflict' });
      assert.deepEqual(await store.range(''), []);
    });

    it('is not undone by a deletion before it, or a write after it', async () => {
      await using harness = await open();
      await put(harness, 'deleted', '1');
      await put(harness, 'written', '1');
      await harness.store.commit({ delete: ['deleted'] });
      await put(harness, 'deleted', '2', false);
      await harness.advance(lifetime);
      await put(harness, 'written', '2', false);
      await harness.sweep();
      assert.deepEqual(
        (await harness.store.range('')).map(({ key, value }) => key + value),
        ['deleted2', 'written2'],
      );
    });
  });
}
