import assert from 'node:assert/strict';
import { PosternError } from '@postern/plugin-sdk';
import { follow, SqliteStore, type Following, type Store } from '../../src/storage/index.js';

/** A store whose feed expires once, and which then fails for a number of reads. */
function failing(store: Store, patienceMs: number, failures: number): Store {
  let expired = false;
  let left = failures;
  return {
    patienceMs,
    get: (key) => store.get(key),
    range: (prefix, options) => store.range(prefix, options),
    commit: (commit) => store.commit(commit),
    async revision() {
      if (expired && left-- > 0) throw new PosternError('unavailable', 'the storage did not answer');
      return store.revision();
    },
    async *watch(prefix, since, signal) {
      if (!expired) {
        expired = true;
        throw new PosternError('expired', 'gone');
      }
      yield* store.watch(prefix, since, signal);
    },
    [Symbol.asyncDispose]: async () => {},
  };
}

describe('following a store', () => {
  const run = async (patienceMs: number, failures: number): Promise<readonly Following['kind'][]> => {
    await using store = await SqliteStore.open({ path: ':memory:' });
    const abort = new AbortController();
    const kinds: Following['kind'][] = [];
    for await (const { kind } of follow(failing(store, patienceMs, failures), '', abort.signal)) {
      kinds.push(kind);
      if (kinds.length === 2) await store.commit({ put: [{ key: 'a', value: '' }] });
      if (kinds.length === 3) abort.abort();
    }
    return kinds;
  };

  it('whose feed has expired waits for the new snapshot as long as the patience of the store lasts', async () => {
    assert.deepEqual(await run(60_000, 3), ['snapshot', 'snapshot', 'changes']);
  });

  it('and no longer', async () => {
    await assert.rejects(run(300, Infinity), { code: 'unavailable', message: /out of reach/ });
    await assert.rejects(run(0, 1), { code: 'unavailable' });
  });
});
