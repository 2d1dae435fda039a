import { PosternError } from '@postern/plugin-sdk';
import type { Change } from '../store.js';
import type { KeySpace, KeyValue } from './codec.js';
import { EtcdError, type Gateway } from './gateway.js';

interface WatchAnswer {
  readonly header?: { readonly revision?: string };
  readonly created?: boolean;
  readonly canceled?: boolean;
  readonly cancel_reason?: string;
  readonly compact_revision?: string;
  readonly fragment?: boolean;
  readonly events?: readonly { readonly type?: 'PUT' | 'DELETE'; readonly kv: KeyValue }[];
}

export interface FeedOptions {
  readonly gateway: Gateway;
  readonly keys: KeySpace;
  readonly prefix: string;
  readonly since: number;
  readonly signal: AbortSignal;
}

/** What is told of the feed: that it has begun (0), whole commits, and how far it has come where nothing concerned the prefix. */
export interface Told {
  readonly revision: number;
  readonly changes: readonly Change[];
}

/**
 * One stream of etcd's changes, until it breaks: rejects with `unavailable` then,
 * and with `expired` where changes after `since` are compacted or of the future.
 */
export async function* feed(options: FeedOptions): AsyncGenerator<Told, void, undefined> {
  const { gateway, keys, prefix, since, signal } = options;
  const request = { ...keys.range(prefix), start_revision: String(since + 1), progress_notify: true, fragment: true };
  // Changes of one commit that was sent in parts.
  let held: readonly Change[] = [];
  for await (const told of gateway.stream('/v3/watch', { create_request: request }, signal)) {
    const answer = told as WatchAnswer;
    if (answer.canceled === true) throw cancelled(answer, since);
    if (answer.created === true) {
      await checkKept(gateway, keys, since);
      yield { revision: 0, changes: [] };
      continue;
    }
    const { events = [], fragment, header } = answer;
    const changes = [...held, ...events.map(({ type, kv }) => toChange(keys, type, kv))];
    const last = changes.at(-1)?.revision;
    held = fragment === true ? changes.filter(({ revision }) => revision === last) : [];
    yield* grouped(changes.slice(0, changes.length - held.length));
    if (changes.length === 0) yield { revision: Number(header?.revision ?? 0), changes: [] };
  }
  if (!signal.aborted) throw new PosternError('unavailable', 'the feed ended');
}

const cancelled = ({ compact_revision, cancel_reason = 'without a reason' }: WatchAnswer, since: number) =>
  Number(compact_revision ?? 0) > 0
    ? expired(since)
    : new PosternError('unavailable', `the feed was cancelled: ${cancel_reason}`);

/**
 * etcd lets somebody watch from exactly where it was compacted, and then leaves
 * out what was deleted there. A read at the revision before is refused.
 */
async function checkKept(gateway: Gateway, keys: KeySpace, since: number): Promise<void> {
  try {
    await gateway.call('/v3/kv/range', { key: keys.key(' '), revision: String(Math.max(1, since)), count_only: true });
  } catch (cause) {
    throw cause instanceof EtcdError && cause.outOfRange ? expired(since) : cause;
  }
}

const expired = (since: number): PosternError =>
  new PosternError('expired', `the changes after ${since} are not kept any more`);

function* grouped(changes: readonly Change[]): Generator<Told> {
  let from = 0;
  for (const [index, { revision }] of changes.entries()) {
    if (changes[index + 1]?.revision === revision) continue;
    yield { revision, changes: changes.slice(from, index + 1) };
    from = index + 1;
  }
}

function toChange(keys: KeySpace, type: 'PUT' | 'DELETE' | undefined, kv: KeyValue): Change {
  const revision = Number(kv.mod_revision);
  return type === 'DELETE'
    ? { kind: 'delete', key: keys.name(kv.key), revision }
    : { kind: 'put', entry: keys.entry(kv), revision };
}
