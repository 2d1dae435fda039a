import { randomUUID } from 'node:crypto';
import { PosternError } from '@postern/plugin-sdk';
import { EntryDigest, matches, type Digest } from './entry-digest.js';
import { limits } from './limits.js';
import type { Snapshot } from './snapshot.js';
import type { Commit, Entry, Put, Store } from './store.js';

/** In a store while it is being filled, and for good where that was interrupted. */
const unfinished = 'storage/unfinished';

/** Rejects with `invalid_config` for a store that was filled by half: no cluster may start from it. */
export async function refuseUnfinished(store: Pick<Store, 'get'>): Promise<void> {
  if (await store.get(unfinished))
    throw PosternError.public(
      'invalid_config',
      'the storage was filled by half only: run postern storage restore or migrate again, to its end',
    );
}

export interface FillOptions {
  readonly signal: AbortSignal;
  /** The last word before the store may be used: rejects where what was read was not right after all. */
  readonly confirm?: (digest: Digest) => Promise<void>;
}

type Target = Store & { snapshot(): Promise<Snapshot> };

/**
 * Writes everything that `pages` has into an empty store, in commits of its
 * own, reads it again, and compares. Rejects with `already_exists` where
 * something is there. When it fails or is told to stop, it takes away what it
 * wrote; killed, it leaves a mark with which no cluster starts, and which the
 * next attempt clears away.
 */
export async function fill(
  target: Target,
  pages: AsyncIterable<readonly Entry[]>,
  { signal, confirm }: FillOptions,
): Promise<Digest> {
  const mark = await claim(target);
  try {
    const digest = new EntryDigest();
    for await (const page of pages) {
      for (const entry of page) digest.add(entry);
      for (const put of batches(page)) {
        signal.throwIfAborted();
        await target.commit({ check: [mark], put });
      }
    }
    await verify(target, digest.result);
    await confirm?.(digest.result);
    signal.throwIfAborted();
    await target.commit({ check: [mark], delete: [unfinished] });
    return digest.result;
  } catch (cause) {
    // Another attempt that cleared this one away has its own mark: then this does nothing.
    const cleared = await clear(target, mark).then(
      () => true,
      () => false,
    );
    if (!signal.aborted) throw cause;
    const left = cleared
      ? 'nothing was left in the target'
      : 'what was written could not be taken away; no cluster starts from it, and the next attempt clears it away';
    throw PosternError.public('aborted', `interrupted: ${left}`, cause);
  }
}

type Mark = NonNullable<Commit['check']>[number];

/** Takes an empty store, or one that another attempt left by half, for this attempt alone. */
async function claim(target: Store): Promise<Mark> {
  const found = await target.get(unfinished);
  const [first] = await target.range('', { limit: 1 });
  if (!found && first)
    throw PosternError.public('already_exists', 'the target is not empty: there is a cluster in it already');
  const put = [{ key: unfinished, value: JSON.stringify({ attempt: randomUUID() }) }];
  const revision = await target.commit({ check: [{ key: unfinished, revision: found?.revision ?? 0 }], put });
  const mark = { key: unfinished, revision };
  if (found) await empty(target, mark);
  return mark;
}

async function clear(target: Store, mark: Mark): Promise<void> {
  await empty(target, mark);
  await target.commit({ check: [mark], delete: [unfinished] });
}

/** Deletes everything but the mark. */
async function empty(target: Store, mark: Mark): Promise<void> {
  for (;;) {
    const keys = (await target.range('', { limit: 100 })).map(({ key }) => key).filter((key) => key !== unfinished);
    if (keys.length === 0) return;
    await target.commit({ check: [mark], delete: keys });
  }
}

async function verify(target: Target, wanted: Digest): Promise<void> {
  const written = new EntryDigest();
  await using snapshot = await target.snapshot();
  for await (const page of snapshot.pages()) for (const entry of page) if (entry.key !== unfinished) written.add(entry);
  if (matches(wanted, written.result)) return;
  const { entries, sha256 } = written.result;
  throw new PosternError(
    'internal',
    `the target has ${entries} entries (${sha256}) where ${wanted.entries} (${wanted.sha256}) were written`,
  );
}

/** As many writes to a commit as it may have, with one left for the check. */
function* batches(entries: readonly Entry[]): Generator<readonly Put[]> {
  let batch: Put[] = [];
  let bytes = 0;
  for (const { key, value, expires } of entries) {
    const size = Buffer.byteLength(key) + Buffer.byteLength(value);
    if (batch.length === limits.commitOperations - 1 || bytes + size > limits.commitBytes - limits.keyBytes) {
      if (batch.length > 0) yield batch;
      [batch, bytes] = [[], 0];
    }
    batch.push({ key, value, ...(expires && { expires }) });
    bytes += size;
  }
  if (batch.length > 0) yield batch;
}
