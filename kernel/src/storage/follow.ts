import { setImmediate as turn } from 'node:timers/promises';
import { PosternError } from '@postern/plugin-sdk';
import type { Change, Entry, Store } from './store.js';

/** `snapshot` replaces everything that was known; `changes` goes on from there. */
export type Following =
  | { readonly kind: 'snapshot'; readonly entries: readonly Entry[]; readonly revision: number }
  | { readonly kind: 'changes'; readonly changes: readonly Change[]; readonly revision: number };

const pageSize = 256;

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

/**
 * What a replica needs: a snapshot, then every change to it, until the signal
 * aborts; and a new snapshot whenever the feed has moved on without this
 * reader. Applying all of it in order ends in the state of the store. An entry
 * may be seen before the change that wrote it.
 */
export async function* follow(
  store: Store,
  prefix: string,
  signal: AbortSignal,
): AsyncGenerator<Following, void, undefined> {
  while (!signal.aborted) {
    // The revision first: what changes while the pages are read is then in the feed.
    const revision = await store.revision();
    yield { kind: 'snapshot', entries: await readAll(store, prefix), revision };
    try {
      for await (const changes of store.watch(prefix, revision, signal))
        yield { kind: 'changes', changes, revision: changes[0]?.revision ?? revision };
    } catch (cause) {
      if (!PosternError.is(cause) || cause.code !== 'expired') throw cause;
    }
  }
}
