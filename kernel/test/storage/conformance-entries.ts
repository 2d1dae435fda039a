import assert from 'node:assert/strict';
import { limits, type Entry, type Store } from '../../src/storage/index.js';
import type { OpenHarness, StoreTraits } from './conformance-harness.js';

const putAll = (store: Store, keys: readonly string[]): Promise<number> =>
  store.commit({ put: keys.map((key) => ({ key, value: `value of ${key}` })) });

const keysOf = (entries: readonly Entry[]): readonly string[] => entries.map(({ key }) => key);

const values = [
  { name: 'the empty text', value: '' },
  { name: 'line breaks and quotes', value: '\r\n\t\'"\\' },
  { name: 'control characters besides NUL', value: '\u0001\u001f\u007f\u0085' },
  { name: 'characters outside the basic plane', value: '𝒫🔑' },
  { name: 'the replacement character', value: '\ufffd' },
  { name: 'a byte order mark', value: '\ufeffx' },
  { name: 'decomposed accents, as they are', value: 'e\u0301 \u00e9' },
  { name: 'the largest value', value: 'x'.repeat(limits.valueBytes) },
];

/** Keys that a database might take for patterns, or fold. */
const awkward = ['a%', 'a_', 'a*', 'a[b]', 'a\\', "a'", 'A', 'a ', 'a\u00e9', 'ae\u0301', 'aa'];

export function entryConformance(open: OpenHarness, traits: StoreTraits): void {
  describe('entries', () => {
    it('a key that was never written is undefined', async () => {
      await using harness = await open();
      assert.equal(await harness.store.get('nothing'), undefined);
    });

    it('an entry has its key, its value and the revision of its commit, and no more', async () => {
      await using harness = await open();
      const revision = await harness.store.commit({ put: [{ key: 'a', value: '1' }] });
      assert.deepEqual(await harness.store.get('a'), { key: 'a', value: '1', revision });
    });

    it('another write replaces value and revision', async () => {
      await using harness = await open();
      const first = await harness.store.commit({ put: [{ key: 'a', value: '1' }] });
      const second = await harness.store.commit({ put: [{ key: 'a', value: '1' }] });
      assert.ok(second > first);
      assert.deepEqual(await harness.store.get('a'), { key: 'a', value: '1', revision: second });
    });

    it('a deleted key is undefined', async () => {
      await using harness = await open();
      await putAll(harness.store, ['a', 'b']);
      await harness.store.commit({ delete: ['a'] });
      assert.equal(await harness.store.get('a'), undefined);
      assert.deepEqual(keysOf(await harness.store.range('')), ['b']);
    });

    for (const { name, value } of values)
      it(`a value keeps ${name}`, async () => {
        await using harness = await open();
        await harness.store.commit({ put: [{ key: 'a', value }] });
        assert.equal((await harness.store.get('a'))?.value, value);
      });

    it('keys are told apart exactly, and taken literally as prefixes', async () => {
      await using harness = await open();
      await putAll(harness.store, awkward);
      for (const key of awkward) {
        assert.equal((await harness.store.get(key))?.value, `value of ${key}`);
        const want = awkward.filter((other) => other.startsWith(key)).sort();
        assert.deepEqual([...keysOf(await harness.store.range(key))].sort(), want);
      }
    });

    if (traits.persistent)
      it('what was written survives a restart, and revisions go on', async () => {
        await using harness = await open();
        const revision = await putAll(harness.store, ['a', 'b']);
        const again = await harness.reopen();
        assert.equal(await again.revision(), revision);
        assert.deepEqual(await again.get('a'), { key: 'a', value: 'value of a', revision });
        assert.ok((await putAll(again, ['c'])) > revision);
      });
  });

  describe('ranges', () => {
    it('have the keys with the prefix, and not its neighbours', async () => {
      await using harness = await open();
      await putAll(harness.store, ['role', 'role.', 'role/a', 'role/b/c', 'role/\u{ffffd}', 'role0', 'rol', 's']);
      assert.deepEqual(keysOf(await harness.store.range('role/')), ['role/a', 'role/b/c', 'role/\u{ffffd}']);
      assert.deepEqual(await harness.store.range('t'), []);
    });

    it('are in the order of UTF-8 bytes, not of UTF-16 units', async () => {
      await using harness = await open();
      const keys = ['a', 'a/', 'a/b', 'a0', 'ab', 'b', '\u00e9', '\uff5e', '\u{1f511}'];
      await putAll(harness.store, keys.toReversed());
      assert.deepEqual(keysOf(await harness.store.range('')), keys);
    });

    it('are read page by page, without a key twice or never', async () => {
      await using harness = await open();
      const keys = Array.from({ length: 23 }, (_, index) => `k/${String(index).padStart(2, '0')}`);
      await putAll(harness.store, [...keys, 'j', 'l']);
      const read: string[] = [];
      for (;;) {
        const after = read.at(-1);
        const page = await harness.store.range('k/', { limit: 5, ...(after !== undefined && { after }) });
        if (page.length === 0) break;
        assert.ok(page.length <= 5);
        read.push(...keysOf(page));
      }
      assert.deepEqual(read, keys);
    });

    it('may start after a key that does not exist, or lies outside the prefix', async () => {
      await using harness = await open();
      await putAll(harness.store, ['k/a', 'k/c', 'l']);
      assert.deepEqual(keysOf(await harness.store.range('k/', { after: 'k/b' })), ['k/c']);
      assert.deepEqual(keysOf(await harness.store.range('k/', { after: 'a' })), ['k/a', 'k/c']);
      assert.deepEqual(keysOf(await harness.store.range('k/', { after: 'z' })), []);
    });

    it('entries carry the revision that wrote them, not the newest', async () => {
      await using harness = await open();
      const first = await putAll(harness.store, ['a']);
      const second = await putAll(harness.store, ['b']);
      assert.deepEqual(
        (await harness.store.range('')).map(({ revision }) => revision),
        [first, second],
      );
    });
  });
}
