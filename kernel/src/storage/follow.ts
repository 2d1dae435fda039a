import { setImmediate as turn, setTimeout as sleep } from 'node:timers/promises';
import { PosternError } from '@postern/plugin-sdk';
import { Outage } from './outage.js';
import type { Change, Entry, Store } from './store.js';

/** `snapshot` replaces everything that was known; `changes` goes on from there. */
export type Following =
  | { readonly kind: 'snapshot'; readonly entries: readonly Entry[]; readonly revision: number }
  | { readonly kind: 'changes'; readonly changes: readonly Change[]; readonly revision: number };

type Read = Extract<Following, { readonly kind: 'snapshot' }>;

const pageSize = 256;
const retryMs = 250;

async function readAll(store: Store, prefix: string): Promise<readonly Entry[]> {
  const entries: Entry[] = [];
  for (;;) {
    const after = entries.at(-1)?.key;
    const page = await store.range(prefix, { limit: pageSize, ...(after !== undefined && { after }) });
    entries.push(...page);
    if (page.length < pageSize) return entries;
    // A store that answers at once would otherwise let nobody else run.
    await turn();
  }
}

async function read(store: Store, prefix: string): Promise<Read> {
  // The revision first: what changes while the pages are read is then in the feed.
  const revision = await store.revision();
  return { kind: 'snapshot', entries: await readAll(store, prefix), revision };
}

/** The same for somebody who has an older one meanwhile: tried again as long as the store's patience lasts. */
async function readAgain(store: Store, prefix: string, signal: AbortSignal): Promise<Read | undefined> {
  const outage = new Outage(store.patienceMs ?? 0);
  while (!signal.aborted)
    try {
      return await read(store, prefix);
    } catch (cause) {
      if (!PosternError.is(cause) || !['unavailable', 'expired'].includes(cause.code)) throw cause;
      outage.goesOn(cause);
      await sleep(retryMs, undefined, { signal, ref: false }).catch(() => {});
    }
  return undefined;
}

/**
 * What a replica needs: a snapshot, then every change to it, until the signal
 * aborts; and a new snapshot whenever the feed has moved on without this
 * reader. Applying all of it in order ends in the state of the store. An entry
 * may be seen before the change that wrote it. A store that is away is waited
 * for as long as its patience lasts, save for the first snapshot.
 */
export async function* follow(
  store: Store,
  prefix: string,
  signal: AbortSignal,
): AsyncGenerator<Following, void, undefined> {
  let snapshot = signal.aborted ? undefined : await read(store, prefix);
  while (snapshot) {
    yield snapshot;
    const { revision } = snapshot;
    try {
      for await (const changes of store.watch(prefix, revision, signal))
        yield { kind: 'changes', changes, revision: changes[0]?.revision ?? revision };
    } catch (cause) {
      if (!PosternError.is(cause) || cause.code !== 'expired') throw cause;
    }
    snapshot = await readAgain(store, prefix, signal);
  }
}
