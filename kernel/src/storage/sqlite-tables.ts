import type { Database, Row, Statement } from './sqlite-driver.js';
import type { Change, Entry, Put, RangeOptions } from './store.js';

/** Where the store is: its newest revision, and the newest one that is no longer in the feed. */
export interface Head {
  readonly revision: number;
  readonly compacted: number;
}

/** Sorts after every key that begins with the prefix: no key contains this code point. */
const end = (prefix: string): string => `${prefix}\u{10FFFF}`;

const toEntry = (row: Row): Entry => ({
  key: row['key'] as string,
  value: row['value'] as string,
  revision: row['revision'] as number,
  ...(row['expires'] === null ? {} : { expires: new Date(row['expires'] as number) }),
});

const toChange = (row: Row): Change => {
  const revision = row['revision'] as number;
  return row['value'] === null
    ? { kind: 'delete', key: row['key'] as string, revision }
    : { kind: 'put', entry: toEntry(row), revision };
};

const live = '(expires IS NULL OR expires > $now)';
const within = 'key >= $prefix AND key < $end';

// The plus keeps SQLite from choosing `key > $after` as the place to start at.
const statements = {
  head: 'SELECT revision, compacted FROM state',
  setHead: 'UPDATE state SET revision = $revision, compacted = $compacted',
  get: `SELECT key, revision, expires, value FROM entry WHERE key = $key AND ${live}`,
  range: `SELECT key, revision, expires, value FROM entry
    WHERE key >= max($prefix, $after) AND key < $end AND +key > $after AND ${live} ORDER BY key LIMIT $limit`,
  put: `INSERT INTO entry (key, revision, expires, value) VALUES ($key, $revision, $expires, $value)
    ON CONFLICT (key) DO UPDATE SET revision = $revision, expires = $expires, value = $value`,
  remove: 'DELETE FROM entry WHERE key = ?',
  expired: 'SELECT key FROM entry WHERE expires <= ? ORDER BY expires LIMIT ?',
  record: `INSERT INTO event (revision, position, key, expires, value)
    VALUES ($revision, $position, $key, $expires, $value)`,
  changes: `SELECT revision, key, expires, value FROM event WHERE ${within} AND revision =
    (SELECT revision FROM event WHERE revision > $since AND ${within} ORDER BY revision LIMIT 1) ORDER BY position`,
  forget: 'DELETE FROM event WHERE revision <= ?',
  size: 'SELECT coalesce(sum(octet_length(key) + coalesce(octet_length(value), 0)), 0) AS bytes FROM event',
  oversize: `SELECT max(revision) AS revision FROM
    (SELECT revision, sum(octet_length(key) + coalesce(octet_length(value), 0))
      OVER (ORDER BY revision DESC, position DESC) AS bytes FROM event) WHERE bytes > ?`,
} as const;

/** The tables as functions: one prepared statement each, and no rule of the store. */
export class SqliteTables {
  readonly #prepared = new Map<keyof typeof statements, Statement>();

  constructor(readonly database: Database) {}

  head(): Head {
    const row = this.#statement('head').get();
    return { revision: row?.['revision'] as number, compacted: row?.['compacted'] as number };
  }

  setHead({ revision, compacted }: Head): void {
    this.#statement('setHead').run({ revision, compacted });
  }

  get(key: string, now: number): Entry | undefined {
    const row = this.#statement('get').get({ key, now });
    return row && toEntry(row);
  }

  range(prefix: string, { after = '', limit = -1 }: RangeOptions, now: number): readonly Entry[] {
    return this.#statement('range')
      .all({ prefix, end: end(prefix), after, limit, now })
      .map(toEntry);
  }

  put({ key, value, expires }: Put, revision: number): void {
    this.#statement('put').run({ key, value, expires: expires?.getTime() ?? null, revision });
  }

  /** True where there was such a key. */
  remove(key: string): boolean {
    return Number(this.#statement('remove').run(key).changes) > 0;
  }

  /** Keys that are due, longest first. */
  expired(now: number, limit: number): readonly string[] {
    return this.#statement('expired')
      .all(now, limit)
      .map((row) => row['key'] as string);
  }

  /** Appends to the feed; without a value the key was deleted. */
  record(at: { readonly revision: number; readonly position: number }, key: string, put?: Put): void {
    this.#statement('record').run({ ...at, key, expires: put?.expires?.getTime() ?? null, value: put?.value ?? null });
  }

  /** The first commit after `since` that touched the prefix; empty where there is none. */
  changes(prefix: string, since: number): readonly Change[] {
    return this.#statement('changes')
      .all({ prefix, end: end(prefix), since })
      .map(toChange);
  }

  /** Removes everything up to this revision from the feed. */
  forget(revision: number): void {
    this.#statement('forget').run(revision);
  }

  /** How many bytes of keys and values the feed holds. */
  feedBytes(): number {
    return this.#statement('size').get()?.['bytes'] as number;
  }

  /** The newest revision that does not fit any more when the newest `bytes` of the feed are kept; 0 where all fits. */
  beyond(bytes: number): number {
    return (this.#statement('oversize').get(bytes)?.['revision'] as number | null) ?? 0;
  }

  #statement(name: keyof typeof statements): Statement {
    let statement = this.#prepared.get(name);
    if (!statement) this.#prepared.set(name, (statement = this.database.prepare(statements[name])));
    return statement;
  }
}
