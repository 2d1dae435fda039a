import assert from 'node:assert/strict';
import fc from 'fast-check';
import { PosternError } from '@postern/plugin-sdk';
import type { Change, Commit, Entry, Store } from '../../src/storage/index.js';
import type { OpenHarness, StoreHarness, StoreTraits } from './conformance-harness.js';

const full = process.env['POSTERN_TEST_FULL'] === '1';
const names = ['a', 'a/b', 'a/c', 'b', '\uff5e', '\u{1f511}'];

interface Action {
  readonly check: readonly { readonly name: string; readonly expect: 'right' | 'absent' | 'wrong' }[];
  readonly put: readonly { readonly name: string; readonly value: string; readonly lifetime: number | undefined }[];
  readonly remove: readonly string[];
  readonly wait: number;
  readonly sweep: boolean;
}

const name = fc.constantFrom(...names);
const put = fc.record({
  name,
  value: fc.string({ unit: 'grapheme', maxLength: 8 }).map((text) => text.replaceAll('\0', '')),
  lifetime: fc.option(fc.integer({ min: -1, max: 20 }), { nil: undefined }),
});

/** Mostly checks that hold: others end an action before it does anything. */
const expectation = fc.constantFrom('right', 'right', 'right', 'absent', 'wrong');

const actions = fc.array<Action>(
  fc.record({
    check: fc.array(fc.record({ name, expect: expectation }), { maxLength: 2 }),
    put: fc.uniqueArray(put, { maxLength: 4, selector: (write) => write.name }),
    remove: fc.uniqueArray(name, { maxLength: 2 }),
    wait: fc.constantFrom(0, 0, 1, 7),
    sweep: fc.boolean(),
  }),
  { maxLength: 30 },
);

/** What the store should hold: a map, and the rules in their plainest form. */
class Model {
  readonly entries = new Map<string, Entry>();

  live(key: string, now: Date): Entry | undefined {
    const entry = this.entries.get(key);
    return entry?.expires && entry.expires <= now ? undefined : entry;
  }

  holds({ check = [] }: Commit, now: Date): boolean {
    return check.every(({ key, revision }) => (this.live(key, now)?.revision ?? 0) === revision);
  }

  apply({ put: writes = [], delete: removed = [] }: Commit, revision: number): void {
    for (const key of removed) this.entries.delete(key);
    for (const write of writes) this.entries.set(write.key, { ...write, revision });
  }

  range(now: Date): readonly Entry[] {
    return [...this.entries.values()]
      .filter(({ key }) => this.live(key, now))
      .sort((one, other) => Buffer.compare(Buffer.from(one.key), Buffer.from(other.key)));
  }
}

function toCommit(action: Action, model: Model, prefix: string, harness: StoreHarness): Commit {
  const now = harness.now();
  const revisionOf = (key: string): number => model.live(key, now)?.revision ?? 0;
  const removed = action.remove.filter((removal) => !action.put.some((write) => write.name === removal));
  return {
    check: action.check.map(({ name: checked, expect }) => {
      const right = revisionOf(prefix + checked);
      return { key: prefix + checked, revision: expect === 'right' ? right : expect === 'absent' ? 0 : right + 1 };
    }),
    put: action.put.map(({ name: written, value, lifetime }) => ({
      key: prefix + written,
      value,
      ...(lifetime !== undefined && harness.virtualTime && { expires: new Date(now.getTime() + lifetime) }),
    })),
    delete: removed.map((removal) => prefix + removal),
  };
}

async function act(action: Action, model: Model, prefix: string, harness: StoreHarness): Promise<void> {
  const { store } = harness;
  const commit = toCommit(action, model, prefix, harness);
  const holds = model.holds(commit, harness.now());
  const before = await store.revision();
  const outcome = await store.commit(commit).catch((error: unknown) => {
    assert.ok(PosternError.is(error) && error.code === 'conflict');
    return undefined;
  });
  assert.equal(outcome !== undefined, holds);
  if (outcome !== undefined) {
    const touched = commit.put?.length !== 0 || commit.delete?.some((key) => model.live(key, harness.now()));
    assert.ok(touched ? outcome > before : outcome >= before);
    model.apply(commit, outcome);
  }
  assert.equal(await store.revision(), outcome ?? before);
  if (harness.virtualTime) await harness.advance(action.wait);
  if (action.sweep) await harness.sweep();
  assert.deepEqual(await store.range(prefix), model.range(harness.now()));
}

/** Applies a feed to a map, and checks that it is in order, until `last` was written. */
async function replay(store: Store, prefix: string, since: number, last: string): Promise<ReadonlyMap<string, Entry>> {
  const entries = new Map<string, Entry>();
  let revision = since;
  const apply = (change: Change): void => {
    assert.equal(change.revision, revision);
    if (change.kind === 'delete') {
      assert.ok(entries.delete(change.key), 'only a key that was there is deleted');
      return;
    }
    assert.equal(change.entry.revision, revision);
    entries.set(change.entry.key, change.entry);
  };
  for await (const batch of store.watch(prefix, since, new AbortController().signal)) {
    assert.ok(batch[0] && batch[0].revision > revision);
    revision = batch[0].revision;
    batch.forEach(apply);
    if (entries.delete(last)) return entries;
  }
  throw new Error('the feed ended');
}

export function modelConformance(open: OpenHarness, { remote = false }: StoreTraits): void {
  describe('any sequence of commits', () => {
    it('has the outcome that it has on a map, and a watcher that replays the feed has the same map', async function () {
      this.timeout(full ? 600_000 : 30_000);
      await using harness = await open();
      const { store } = harness;
      let run = 0;
      await fc.assert(
        fc.asyncProperty(actions, async (sequence) => {
          const prefix = `${run++}/`;
          const model = new Model();
          const end = `${prefix}end`;
          const watching = replay(store, prefix, await store.revision(), end);
          for (const action of sequence) await act(action, model, prefix, harness);
          await harness.sweep();
          await store.commit({ put: [{ key: end, value: '' }] });
          const replayed = await watching;
          const entries = [...(await store.range(prefix))].filter(({ key }) => key !== end);
          assert.deepEqual(entries, model.range(harness.now()));
          assert.deepEqual(replayed, new Map(entries.map((entry) => [entry.key, entry])));
        }),
        { numRuns: (full ? 2_000 : 60) / (remote ? 5 : 1) },
      );
    });
  });
}
