import assert from 'node:assert/strict';
import { limits, type Commit, type Store } from '../../src/storage/index.js';
import type { OpenHarness } from './conformance-harness.js';

const write = (key: string, value = ''): Commit => ({ put: [{ key, value }] });
const keys = (count: number): string[] => Array.from({ length: count }, (_, index) => `k${index}`);

/** Everything in the store, which a refused commit must leave as it was. */
const dump = async (store: Store): Promise<string> => JSON.stringify([await store.revision(), await store.range('')]);

interface Refusal {
  readonly name: string;
  readonly commit: Commit;
  readonly code: string;
}

const half = 'x'.repeat(limits.valueBytes / 2);
const refusals: readonly Refusal[] = [
  { name: 'an empty key', commit: write(''), code: 'invalid_argument' },
  { name: 'a NUL in a key', commit: write('a\0b'), code: 'invalid_argument' },
  { name: 'a line break in a key', commit: write('a\nb'), code: 'invalid_argument' },
  { name: 'a C1 control character in a key', commit: write('a\u0085'), code: 'invalid_argument' },
  { name: 'half of a surrogate pair in a key', commit: write('a\ud800'), code: 'invalid_argument' },
  { name: 'a non-character in a key', commit: write('a\u{10ffff}'), code: 'invalid_argument' },
  { name: 'a key of 513 bytes', commit: write('x'.repeat(513)), code: 'limit_exceeded' },
  { name: 'a key of 171 characters in 513 bytes', commit: write('\u20ac'.repeat(171)), code: 'limit_exceeded' },
  { name: 'a NUL in a value', commit: write('a', 'x\0y'), code: 'invalid_argument' },
  { name: 'half of a surrogate pair in a value', commit: write('a', '\udc00'), code: 'invalid_argument' },
  { name: 'a value of 1 MiB and 1 byte', commit: write('a', `${half}${half}x`), code: 'limit_exceeded' },
  {
    name: 'values of more than 1.25 MiB together',
    commit: { put: [0, 1, 2].map((key) => ({ key: String(key), value: half })) },
    code: 'limit_exceeded',
  },
  { name: '129 operations', commit: { delete: keys(129) }, code: 'limit_exceeded' },
  {
    name: '129 operations of three kinds',
    commit: { ...write('a'), delete: keys(64), check: keys(64).map((key) => ({ key, revision: 0 })) },
    code: 'limit_exceeded',
  },
  {
    name: 'one key written twice',
    commit: {
      put: [
        { key: 'a', value: '1' },
        { key: 'a', value: '2' },
      ],
    },
    code: 'invalid_argument',
  },
  { name: 'one key written and deleted', commit: { ...write('a'), delete: ['a'] }, code: 'invalid_argument' },
  { name: 'one key deleted twice', commit: { delete: ['a', 'a'] }, code: 'invalid_argument' },
  { name: 'an invalid key deleted', commit: { delete: ['\n'] }, code: 'invalid_argument' },
  { name: 'an invalid key checked', commit: { check: [{ key: '', revision: 0 }] }, code: 'invalid_argument' },
  { name: 'a negative revision', commit: { check: [{ key: 'a', revision: -1 }] }, code: 'invalid_argument' },
  { name: 'half a revision', commit: { check: [{ key: 'a', revision: 0.5 }] }, code: 'invalid_argument' },
  {
    name: 'an expiry that is no time',
    commit: { put: [{ key: 'a', value: '', expires: new Date(Number.NaN) }] },
    code: 'invalid_argument',
  },
];

const allowed: readonly { readonly name: string; readonly commit: Commit }[] = [
  { name: 'a key of 512 bytes', commit: write('x'.repeat(512)) },
  { name: 'a key of 170 characters in 510 bytes', commit: write('\u20ac'.repeat(170)) },
  { name: '128 operations', commit: { put: keys(128).map((key) => ({ key, value: key })) } },
  { name: 'a key checked and written', commit: { ...write('a'), check: [{ key: 'a', revision: 0 }] } },
];

export function commitConformance(open: OpenHarness): void {
  describe('commits', () => {
    it('have growing revisions, and the newest is the store’s', async () => {
      await using harness = await open();
      const { store } = harness;
      let last = await store.revision();
      for (const key of ['a', 'b', 'a']) {
        const revision = await store.commit(write(key));
        assert.ok(Number.isSafeInteger(revision) && revision > last);
        assert.equal(await store.revision(), revision);
        last = revision;
      }
    });

    it('write and delete many keys at one revision', async () => {
      await using harness = await open();
      await harness.store.commit(write('old'));
      const revision = await harness.store.commit({
        put: [...keys(3).map((key) => ({ key, value: key }))],
        delete: ['old'],
      });
      assert.deepEqual(
        await harness.store.range(''),
        keys(3).map((key) => ({ key, value: key, revision })),
      );
    });

    it('that change nothing resolve with the current revision and make none', async () => {
      await using harness = await open();
      const { store } = harness;
      const revision = await store.commit(write('a'));
      for (const commit of [{}, { delete: ['b'] }, { check: [{ key: 'a', revision }], delete: ['b'] }])
        assert.equal(await store.commit(commit), revision);
      assert.equal(await store.revision(), revision);
    });

    for (const { name, commit, code } of refusals)
      it(`refuse ${name} with ${code}, and write nothing`, async () => {
        await using harness = await open();
        await harness.store.commit(write('before'));
        const before = await dump(harness.store);
        const both = { ...commit, put: [{ key: 'innocent', value: '' }, ...(commit.put ?? [])] };
        await assert.rejects(harness.store.commit(commit), { name: 'PosternError', code });
        await assert.rejects(harness.store.commit(both), { name: 'PosternError', code });
        assert.equal(await dump(harness.store), before);
      });

    for (const { name, commit } of allowed)
      it(`accept ${name}`, async () => {
        await using harness = await open();
        await harness.store.commit(commit);
        assert.equal((await harness.store.range('')).length, commit.put?.length);
      });

    it('refusals never quote a value', async () => {
      await using harness = await open();
      const commits = [write('a', 'hunter2\0'), write('\n', 'hunter2'), { ...write('b', 'hunter2'), delete: ['b'] }];
      for (const commit of commits)
        await assert.rejects(harness.store.commit(commit), (error: Error) => !error.message.includes('hunter2'));
    });

    it('reads refuse what is no key, no page and no revision', async () => {
      await using harness = await open();
      const { store } = harness;
      const { signal } = new AbortController();
      await assert.rejects(store.get(''), { code: 'invalid_argument' });
      await assert.rejects(store.get('x'.repeat(513)), { code: 'limit_exceeded' });
      await assert.rejects(store.range('a\0'), { code: 'invalid_argument' });
      await assert.rejects(store.range('a', { after: '\n' }), { code: 'invalid_argument' });
      for (const limit of [0, -1, 1.5, Number.NaN])
        await assert.rejects(store.range('a', { limit }), { code: 'invalid_argument' });
      for (const since of [-1, 1.5, Number.NaN])
        await assert.rejects(store.watch('', since, signal)[Symbol.asyncIterator]().next(), {
          code: 'invalid_argument',
        });
    });
  });

  describe('compare-and-swap', () => {
    it('0 holds only where there is no such key', async () => {
      await using harness = await open();
      const create = { check: [{ key: 'a', revision: 0 }], ...write('a', '1') };
      await harness.store.commit(create);
      await assert.rejects(harness.store.commit(create), { code: 'conflict' });
      await harness.store.commit({ delete: ['a'] });
      await harness.store.commit(create);
    });

    it('a revision holds only for the commit that wrote the key', async () => {
      await using harness = await open();
      const { store } = harness;
      const first = await store.commit(write('a', '1'));
      await store.commit(write('other'));
      const second = await store.commit({ check: [{ key: 'a', revision: first }], ...write('a', '2') });
      for (const revision of [0, first, second - 1, second + 1])
        await assert.rejects(store.commit({ check: [{ key: 'a', revision }], ...write('a', '3') }), {
          code: 'conflict',
        });
      assert.equal((await store.get('a'))?.value, '2');
    });

    it('a key that was deleted and written again is not the one that was checked', async () => {
      await using harness = await open();
      const { store } = harness;
      const first = await store.commit(write('a', 'same'));
      await store.commit({ delete: ['a'] });
      await store.commit(write('a', 'same'));
      await assert.rejects(store.commit({ check: [{ key: 'a', revision: first }], delete: ['a'] }), {
        code: 'conflict',
      });
    });

    it('one check that fails undoes the whole commit, and says which key', async () => {
      await using harness = await open();
      const { store } = harness;
      const revision = await store.commit({ put: keys(2).map((key) => ({ key, value: '' })) });
      const before = await dump(store);
      await assert.rejects(
        store.commit({
          check: [
            { key: 'k0', revision },
            { key: 'k1', revision: revision + 1 },
          ],
          put: [{ key: 'k0', value: 'changed' }],
          delete: ['k1'],
        }),
        (error: Error) => error.message.includes('"k1"'),
      );
      assert.equal(await dump(store), before);
    });

    it('checks see the state before the commit’s own writes', async () => {
      await using harness = await open();
      const { store } = harness;
      const revision = await store.commit(write('a'));
      await store.commit({
        check: [
          { key: 'a', revision },
          { key: 'b', revision: 0 },
        ],
        ...write('b'),
        delete: ['a'],
      });
      assert.deepEqual(
        (await store.range('')).map(({ key }) => key),
        ['b'],
      );
    });

    it('of many that claim one key at once, one wins', async () => {
      await using harness = await open();
      const claims = keys(20).map((value) =>
        harness.store.commit({ check: [{ key: 'claim', revision: 0 }], ...write('claim', value) }),
      );
      const outcomes = await Promise.allSettled([
        harness.store.commit(write('before')),
        ...claims,
        harness.store.commit(write('after')),
      ]);
      const refused = outcomes.filter((outcome) => outcome.status === 'rejected');
      assert.equal(refused.length, 19);
      for (const { reason } of refused) assert.equal((reason as { code: string }).code, 'conflict');
      assert.deepEqual(
        (await harness.store.range('')).map(({ key }) => key),
        ['after', 'before', 'claim'],
      );
    });

    it('no increment is lost among writers that read, check and write', async () => {
      await using harness = await open();
      const { store } = harness;
      const increment = async (): Promise<number> => {
        for (;;) {
          const { value = '0', revision = 0 } = (await store.get('count')) ?? {};
          try {
            return await store.commit({
              check: [{ key: 'count', revision }],
              ...write('count', String(Number(value) + 1)),
            });
          } catch (error) {
            assert.equal((error as { code: string }).code, 'conflict');
          }
        }
      };
      const revisions = await Promise.all(
        keys(8).map(async () => [await increment(), await increment(), await increment()]),
      );
      assert.equal((await store.get('count'))?.value, '24');
      assert.equal(new Set(revisions.flat()).size, 24);
    });
  });
}
