import type { Pool, PoolClient } from 'pg';
import type { Change, Commit, Entry, RangeOptions } from '../store.js';
import { failure } from './connection.js';

/** Where the store is: its newest revision, and the newest one that is no longer in the feed. */
export interface Head {
  readonly revision: number;
  readonly compacted: number;
}

/** A part of the feed, as of one moment. */
export interface FeedPage {
  readonly head: Head;
  /** One batch to a commit; whole commits only. */
  readonly batches: readonly (readonly Change[])[];
}

/** What a commit came to: its revision, or the check that did not hold and what there is instead. */
export type Applied = { readonly revision: number } | { readonly conflict: string; readonly actual: number };

interface EntryRow {
  readonly key: string;
  readonly revision: string;
  readonly expires: string | null;
  readonly value: string;
}

interface FeedRow {
  readonly head: string;
  readonly compacted: string;
  readonly revision: string | null;
  readonly key: string;
  readonly expires: string | null;
  readonly value: string | null;
  readonly total: string;
}

/** At least one whole commit fits: those have at most 128 changes and 1.25 MiB. */
const page = { rows: 256, bytes: 2 * 1024 * 1024 } as const;

/** Sorts after every key that begins with the prefix: no key contains this code point. */
const end = (prefix: string): string => `${prefix}\u{10FFFF}`;

const toEntry = ({ key, revision, expires, value }: EntryRow): Entry => ({
  key,
  value,
  revision: Number(revision),
  ...(expires !== null && { expires: new Date(Number(expires)) }),
});

type Queries = Pick<Pool, 'query'> | Pick<PoolClient, 'query'>;

/** The tables as functions, over any connection. Whatever fails, fails with `unavailable`. */
export class PostgresTables {
  constructor(private readonly schema: string) {}

  async head(queries: Queries): Promise<Head> {
    const rows = await ask<{ revision: string; compacted: string }>(queries, {
      name: 'head',
      text: `SELECT revision, compacted FROM ${this.schema}.state`,
      values: [],
    });
    return { revision: Number(rows[0]?.revision), compacted: Number(rows[0]?.compacted) };
  }

  async get(queries: Queries, key: string, now: number): Promise<Entry | undefined> {
    const rows = await ask<EntryRow>(queries, {
      name: 'get',
      text: `SELECT key, revision, expires, value FROM ${this.schema}.entry
        WHERE key = $1 AND (expires IS NULL OR expires > $2)`,
      values: [key, now],
    });
    return rows[0] && toEntry(rows[0]);
  }

  async range(queries: Queries, prefix: string, { after = '', limit }: RangeOptions, now: number): Promise<Entry[]> {
    const rows = await ask<EntryRow>(queries, {
      name: 'range',
      text: `SELECT key, revision, expires, value FROM ${this.schema}.entry
        WHERE key >= $1 AND key < $2 AND key > $3 AND (expires IS NULL OR expires > $4) ORDER BY key LIMIT $5`,
      values: [prefix, end(prefix), after, now, limit ?? null],
    });
    return rows.map(toEntry);
  }

  async apply(queries: Queries, commit: Commit, now: number): Promise<Applied> {
    const { check = [], put = [], delete: remove = [] } = commit;
    const rows = await ask<{ revision: string; conflict: string | null; actual: string | null }>(queries, {
      name: 'apply',
      text: `SELECT revision, conflict, actual FROM ${this.schema}.apply_commit($1, $2, $3, $4, $5, $6, $7)`,
      values: [
        check.map(({ key }) => key),
        check.map(({ revision }) => revision),
        remove,
        put.map(({ key }) => key),
        put.map(({ value }) => value),
        put.map(({ expires }) => expires?.getTime() ?? null),
        now,
      ],
    });
    const [row] = rows;
    if (typeof row?.conflict === 'string') return { conflict: row.conflict, actual: Number(row.actual) };
    return { revision: Number(row?.revision) };
  }

  /** How many entries were overdue, at most 128 at a time. */
  async sweep(queries: Queries, now: number): Promise<number> {
    const text = `SELECT ${this.schema}.sweep($1, 128) AS swept`;
    return (await ask<{ swept: number }>(queries, { name: 'sweep', text, values: [now] }))[0]?.swept ?? 0;
  }

  async compact(queries: Queries, upTo: number): Promise<void> {
    await ask(queries, { name: 'compact', text: `SELECT ${this.schema}.compact($1)`, values: [upTo] });
  }

  async shorten(queries: Queries, revisions: number, bytes: number): Promise<void> {
    const text = `SELECT ${this.schema}.shorten($1, $2)`;
    await ask(queries, { name: 'shorten', text, values: [revisions, bytes] });
  }

  /** The first changes after `since` under the prefix. */
  async changes(queries: Queries, prefix: string, since: number): Promise<FeedPage> {
    const rows = await ask<FeedRow>(queries, {
      name: 'changes',
      text: `SELECT s.revision AS head, s.compacted, f.* FROM ${this.schema}.state s LEFT JOIN (
          SELECT c.*, count(*) OVER () AS total,
            sum(octet_length(coalesce(c.value, ''))) OVER (ORDER BY c.revision, c.position) AS bytes
          FROM (SELECT * FROM ${this.schema}.event WHERE revision > $1 AND key >= $2 AND key < $3
            ORDER BY revision, position LIMIT ${page.rows}) AS c
        ) AS f ON f.bytes <= ${page.bytes} ORDER BY f.revision, f.position`,
      values: [since, prefix, end(prefix)],
    });
    return toPage(rows);
  }

  /** The keys that changed after `since`, in the order in which they did, and up to where that is all of them. */
  async changedKeys(queries: Queries, since: number): Promise<Head & { readonly keys: readonly string[] }> {
    const rows = await ask<{ head: string; compacted: string; revision: string | null; key: string }>(queries, {
      name: 'keys',
      text: `SELECT s.revision AS head, s.compacted, e.revision, e.key FROM ${this.schema}.state s LEFT JOIN
        (SELECT revision, key FROM ${this.schema}.event WHERE revision > $1 ORDER BY revision LIMIT 1000) AS e ON true
        ORDER BY e.revision`,
      values: [since],
    });
    const found = rows.filter(({ revision }) => revision !== null);
    const last = Number(found.at(-1)?.revision);
    // A commit that was cut is told again from its beginning.
    const revision = found.length < 1000 ? Number(rows[0]?.head) : last - 1;
    return { revision, compacted: Number(rows[0]?.compacted), keys: found.map(({ key }) => key) };
  }
}

function toPage(rows: readonly FeedRow[]): FeedPage {
  const head = { revision: Number(rows[0]?.head), compacted: Number(rows[0]?.compacted) };
  const batches = new Map<number, Change[]>();
  const found = rows.filter(({ revision }) => revision !== null);
  for (const row of found) {
    const revision = Number(row.revision);
    const batch = batches.get(revision) ?? [];
    batch.push(toChange(row, revision));
    batches.set(revision, batch);
  }
  const whole = [...batches.values()];
  const total = Number(found[0]?.total ?? 0);
  // What was cut off may belong to the last commit: it comes whole with the next page.
  if ((found.length < total || total === page.rows) && whole.length > 1) whole.pop();
  return { head, batches: whole };
}

const toChange = ({ key, expires, value }: FeedRow, revision: number): Change =>
  value === null
    ? { kind: 'delete', key, revision }
    : { kind: 'put', entry: toEntry({ key, expires, value, revision: String(revision) }), revision };

interface Query {
  /** Prepared once on each connection. */
  readonly name: string;
  readonly text: string;
  readonly values: readonly unknown[];
}

async function ask<Row extends object>(queries: Queries, { name, text, values }: Query): Promise<Row[]> {
  try {
    return (await queries.query<Row>({ name, text, values: [...values] })).rows;
  } catch (cause) {
    throw failure(`the storage did not answer (${name})`, cause);
  }
}
