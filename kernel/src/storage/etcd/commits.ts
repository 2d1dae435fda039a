import { PosternError } from '@postern/plugin-sdk';
import type { Check, Commit, Entry, Put } from '../store.js';
import { encodeValue, later, type KeySpace, type KeyValue } from './codec.js';
import type { Gateway } from './gateway.js';

interface TxnAnswer {
  readonly header: { readonly revision: string };
  readonly succeeded?: boolean;
  readonly responses?: readonly { readonly response_range?: { readonly kvs?: readonly KeyValue[] } }[];
}

export interface CommitsOptions {
  readonly gateway: Gateway;
  readonly keys: KeySpace;
  readonly now: () => Date;
  readonly leaseGraceSeconds: number;
}

/** etcd's own limit, unless it was started with another. */
const mostOperations = 128;
/** How often a commit starts again because an expired entry in its way was replaced meanwhile. */
const attempts = 16;

/** Commits as transactions of etcd, which know nothing of entries that have expired and are still there. */
export class Commits {
  constructor(private readonly options: CommitsOptions) {}

  /** See `Store.commit`. */
  async apply(commit: Commit): Promise<number> {
    const leases = await this.#leases(commit.put ?? []);
    try {
      return await this.#apply(commit, leases);
    } catch (cause) {
      // After an answer that was lost the leases may be in use.
      if (PosternError.is(cause) && cause.code === 'conflict') for (const id of leases.values()) this.#revoke(id);
      throw cause;
    }
  }

  async #apply(commit: Commit, leases: ReadonlyMap<number, string>): Promise<number> {
    const { gateway, keys, now } = this.options;
    const { check = [], put = [], delete: remove = [] } = commit;
    const success = [
      ...this.#leased(commit).map((key) => ({ request_range: { key: keys.key(key), keys_only: true } })),
      ...remove.map((key) => ({ request_delete_range: { key: keys.key(key) } })),
      ...put.map((write) => ({ request_put: this.#put(write, leases) })),
    ];
    const failure = check.map(({ key }) => ({ request_range: { key: keys.key(key) } }));
    const time = now();
    // What each check really compares with, where that is an entry which has expired.
    const expired = new Map<string, number>();
    if (this.#compares(check, expired, time).length > mostOperations) await this.#checkFirst(check, failure, time);
    for (let attempt = 1; attempt <= attempts; attempt++) {
      const compare = this.#compares(check, expired, time).slice(0, mostOperations);
      const answer = await gateway.call<TxnAnswer>('/v3/kv/txn', { compare, success, failure }, 'once');
      if (answer.succeeded === true) {
        this.#releaseReplaced(answer);
        return Number(answer.header.revision);
      }
      this.#explain(check, answer, { time, expired });
    }
    throw new PosternError('conflict', `key ${JSON.stringify(check[0]?.key)} is written again and again`);
  }

  /** Those of revisions first: they alone decide where there is no room for the times. */
  #compares(check: readonly Check[], expired: ReadonlyMap<string, number>, time: Date): object[] {
    const { keys } = this.options;
    const revisions = check.map(({ key, revision }) => ({
      target: 'MOD',
      result: 'EQUAL',
      key: keys.key(key),
      mod_revision: String(expired.get(key) ?? revision),
    }));
    const existing = check.filter(({ revision }) => revision !== 0);
    const times = existing.map(({ key }) => ({
      target: 'VALUE',
      result: 'GREATER',
      key: keys.key(key),
      value: later(time.getTime()),
    }));
    return [...revisions, ...times];
  }

  /** Whether an entry of a revision has expired never changes: it can be read before the transaction. */
  async #checkFirst(check: readonly Check[], success: readonly object[], time: Date): Promise<void> {
    const answer = await this.options.gateway.call<TxnAnswer>('/v3/kv/txn', { success });
    this.#explain(check, answer, { time, expired: new Map() });
  }

  /** Throws `conflict` for a check that does not hold; notes expired entries where there should be none. */
  #explain(
    check: readonly Check[],
    { responses = [] }: TxnAnswer,
    { time, expired }: { readonly time: Date; readonly expired: Map<string, number> },
  ): void {
    for (const [index, { key, revision }] of check.entries()) {
      const found = responses[index]?.response_range?.kvs?.[0];
      const entry = found && this.options.keys.entry(found);
      const actual = liveRevision(entry, time);
      if (actual !== revision) throw conflict(key, actual, revision);
      if (revision === 0) expired.set(key, entry?.revision ?? 0);
    }
  }

  #put(put: Put, leases: ReadonlyMap<number, string>): object {
    const lease = put.expires && leases.get(put.expires.getTime());
    return { key: this.options.keys.key(put.key), value: encodeValue(put), ...(lease !== undefined && { lease }) };
  }

  /** A lease for every time at which something of the commit expires. */
  async #leases(put: readonly Put[]): Promise<ReadonlyMap<number, string>> {
    const { gateway, now, leaseGraceSeconds } = this.options;
    const times = new Set(put.flatMap(({ expires }) => expires?.getTime() ?? []));
    const granted = [...times].map(async (time) => {
      const seconds = Math.max(0, Math.ceil((time - now().getTime()) / 1000)) + leaseGraceSeconds;
      const TTL = String(Math.min(seconds, 4_000_000_000));
      const { ID } = await gateway.call<{ ID: string }>('/v3/lease/grant', { TTL });
      return [time, ID] as const;
    });
    return new Map(await Promise.all(granted));
  }

  /** Keys whose leases may end with the commit: as many as there is room for. Those of the others end by themselves. */
  #leased({ put = [], delete: remove = [] }: Commit): readonly string[] {
    const leased = [...put.filter(({ expires }) => expires), ...remove.map((key) => ({ key }))];
    return leased.slice(0, mostOperations - put.length - remove.length).map(({ key }) => key);
  }

  /** Leases of one commit may be shared, and are never given to another: what has lost its last key gets none again. */
  #releaseReplaced({ responses = [] }: TxnAnswer): void {
    const leases = responses.flatMap(({ response_range }) => response_range?.kvs?.[0]?.lease ?? []);
    for (const ID of new Set(leases)) {
      if (ID === '0') continue;
      const about = this.options.gateway.call<{ keys?: readonly string[] }>('/v3/lease/timetolive', { ID, keys: true });
      about.then(
        ({ keys = [] }) => {
          if (keys.length === 0) this.#revoke(ID);
        },
        () => {},
      );
    }
  }

  /** Nobody waits for it: a lease that stays ends by itself. */
  #revoke(ID: string): void {
    this.options.gateway.call('/v3/lease/revoke', { ID }).catch(() => {});
  }
}

const liveRevision = (entry: Entry | undefined, now: Date): number =>
  entry && isLive(entry, now) ? entry.revision : 0;

function conflict(key: string, actual: number, expected: number): PosternError {
  const state = actual === 0 ? 'does not exist' : `is at revision ${actual}`;
  return new PosternError('conflict', `key ${JSON.stringify(key)} ${state}; the commit expected ${expected}`);
}

/** False from the moment on at which the entry expires. */
export const isLive = ({ expires }: Pick<Entry, 'expires'>, now: Date): boolean =>
  expires === undefined || expires > now;
