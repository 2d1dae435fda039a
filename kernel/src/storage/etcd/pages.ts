import { PosternError } from '@postern/plugin-sdk';
import type { Entry } from '../store.js';
import type { KeySpace, KeyValue } from './codec.js';
import { EtcdError, type Gateway } from './gateway.js';

export interface RangeAnswer {
  readonly header: { readonly revision: string };
  readonly kvs?: readonly KeyValue[];
  readonly more?: boolean;
}

export interface PagesOptions {
  readonly gateway: Gateway;
  readonly keys: KeySpace;
  readonly prefix: string;
  readonly after?: string | undefined;
  /** How many at a time. */
  readonly size: number;
  /** At this revision; at the newest one where absent. */
  readonly at?: number;
}

/** Entries at one revision, page by page, expired ones with them. Rejects with `expired` where it is compacted meanwhile. */
export async function* pages(options: PagesOptions): AsyncGenerator<Snapped, void, undefined> {
  const { gateway, keys, prefix, size } = options;
  let { after, at } = options;
  for (;;) {
    const request = { ...keys.range(prefix, after), limit: String(size), ...(at && { revision: String(at) }) };
    const { header, kvs = [], more } = await read(gateway, request);
    at ??= Number(header.revision);
    const entries = kvs.map((kv) => keys.entry(kv));
    yield { revision: at, entries };
    if (more !== true || entries.length === 0) return;
    after = entries.at(-1)?.key;
  }
}

/** A page. */
export interface Snapped {
  readonly revision: number;
  readonly entries: readonly Entry[];
}

async function read(gateway: Gateway, request: object): Promise<RangeAnswer> {
  try {
    return await gateway.call<RangeAnswer>('/v3/kv/range', request);
  } catch (cause) {
    if (!(cause instanceof EtcdError)) throw cause;
    if (cause.outOfRange) throw new PosternError('expired', 'the state was compacted while it was read', { cause });
    throw new PosternError('unavailable', `the storage refused a read: ${cause.message}`, { cause });
  }
}
