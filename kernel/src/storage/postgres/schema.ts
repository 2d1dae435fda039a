import type { PoolClient } from 'pg';
import { PosternError } from '@postern/plugin-sdk';

/**
 * `event` is the change feed: one row for each key that a commit changed, where
 * no value means that the key was deleted. Everything up to `state.compacted` is
 * gone from it. The one row of `state` is locked by whoever writes, so that
 * revisions become visible in their order: those of a sequence would not.
 * Text is compared by its bytes.
 */
const tables = (schema: string): string => `
  CREATE TABLE ${schema}.state (
    id int PRIMARY KEY CHECK (id = 1),
    version int NOT NULL,
    revision bigint NOT NULL,
    compacted bigint NOT NULL,
    feed_bytes bigint NOT NULL
  ) WITH (fillfactor = 10);
  INSERT INTO ${schema}.state VALUES (1, 1, 0, 0, 0);
  CREATE TABLE ${schema}.entry (
    key text COLLATE "C" PRIMARY KEY,
    revision bigint NOT NULL,
    expires bigint,
    value text NOT NULL
  );
  CREATE INDEX entry_expires ON ${schema}.entry (expires) WHERE expires IS NOT NULL;
  CREATE TABLE ${schema}.event (
    revision bigint NOT NULL,
    position int NOT NULL,
    key text COLLATE "C" NOT NULL,
    expires bigint,
    value text,
    PRIMARY KEY (revision, position)
  );
`;

/** The rules of a commit, in one round trip. Nothing is read before the lock is held. */
const committing = (schema: string): string => `
  CREATE FUNCTION ${schema}.apply_commit(
    checked text[], expected bigint[], deleted text[], written text[], contents text[], ends bigint[], at bigint,
    OUT revision bigint, OUT conflict text, OUT actual bigint
  ) LANGUAGE plpgsql AS $$
  DECLARE
    next bigint;
    removed int := 0;
    added int := 0;
    bytes bigint := 0;
  BEGIN
    SELECT s.revision INTO revision FROM ${schema}.state s FOR UPDATE;
    next := revision + 1;
    SELECT c.key, coalesce(e.revision, 0) INTO conflict, actual
      FROM unnest(checked, expected) AS c(key, revision)
      LEFT JOIN ${schema}.entry e ON e.key = c.key COLLATE "C" AND (e.expires IS NULL OR e.expires > at)
      WHERE coalesce(e.revision, 0) <> c.revision LIMIT 1;
    IF conflict IS NOT NULL THEN RETURN; END IF;
    IF cardinality(deleted) > 0 THEN
      WITH gone AS (DELETE FROM ${schema}.entry e WHERE e.key = ANY (deleted COLLATE "C") RETURNING e.key)
      INSERT INTO ${schema}.event SELECT next, row_number() OVER (), gone.key FROM gone;
      GET DIAGNOSTICS removed = ROW_COUNT;
    END IF;
    IF cardinality(written) > 0 THEN
      INSERT INTO ${schema}.entry AS e SELECT w.key, next, w.expires, w.value
        FROM unnest(written, ends, contents) AS w(key, expires, value)
        ON CONFLICT (key) DO UPDATE SET revision = next, expires = excluded.expires, value = excluded.value;
      INSERT INTO ${schema}.event SELECT next, removed + w.position, w.key, w.expires, w.value
        FROM unnest(written, ends, contents) WITH ORDINALITY AS w(key, expires, value, position);
      GET DIAGNOSTICS added = ROW_COUNT;
    END IF;
    IF removed + added = 0 THEN RETURN; END IF;
    revision := next;
    SELECT coalesce(sum(octet_length(w.text)), 0) INTO bytes FROM unnest(deleted || written || contents) AS w(text);
    UPDATE ${schema}.state s SET revision = next, feed_bytes = s.feed_bytes + bytes;
    PERFORM pg_notify('${schema}', next::text);
  END $$;
`;

const housekeeping = (schema: string): string => `
  CREATE FUNCTION ${schema}.sweep(at bigint, batch int) RETURNS int LANGUAGE plpgsql AS $$
  DECLARE
    overdue text[];
  BEGIN
    IF NOT EXISTS (SELECT FROM ${schema}.entry e WHERE e.expires <= at) THEN RETURN 0; END IF;
    PERFORM FROM ${schema}.state s FOR UPDATE;
    overdue := ARRAY(SELECT e.key FROM ${schema}.entry e WHERE e.expires <= at ORDER BY e.expires LIMIT batch);
    PERFORM ${schema}.apply_commit('{}', '{}', overdue, '{}', '{}', '{}', at);
    RETURN cardinality(overdue);
  END $$;

  CREATE FUNCTION ${schema}.compact(up_to bigint) RETURNS void LANGUAGE plpgsql AS $$
  DECLARE
    bytes bigint;
  BEGIN
    PERFORM FROM ${schema}.state s FOR UPDATE;
    IF up_to <= (SELECT s.compacted FROM ${schema}.state s) THEN RETURN; END IF;
    WITH gone AS (DELETE FROM ${schema}.event e WHERE e.revision <= up_to RETURNING e.key, e.value)
    SELECT coalesce(sum(octet_length(gone.key) + coalesce(octet_length(gone.value), 0)), 0) INTO bytes FROM gone;
    UPDATE ${schema}.state s SET compacted = up_to, feed_bytes = greatest(0, s.feed_bytes - bytes);
  END $$;

  CREATE FUNCTION ${schema}.shorten(revisions bigint, bytes bigint) RETURNS void LANGUAGE plpgsql AS $$
  DECLARE
    head ${schema}.state%ROWTYPE;
    beyond bigint;
  BEGIN
    SELECT * INTO head FROM ${schema}.state;
    IF head.revision - head.compacted > revisions * 1.1 THEN
      PERFORM ${schema}.compact(head.revision - revisions);
    END IF;
    IF head.feed_bytes > bytes * 1.1 THEN
      SELECT max(counted.revision) INTO beyond FROM (
        SELECT e.revision, sum(octet_length(e.key) + coalesce(octet_length(e.value), 0))
          OVER (ORDER BY e.revision DESC, e.position DESC) AS total FROM ${schema}.event e
      ) AS counted WHERE counted.total > bytes;
      PERFORM ${schema}.compact(coalesce(beyond, 0));
    END IF;
  END $$;
`;

/** One script to a version, append-only: `state.version` is how many have run. */
const migrations: readonly ((schema: string) => string)[] = [
  (schema) => tables(schema) + committing(schema) + housekeeping(schema),
];

/** The newest schema that this program knows. */
const schemaVersion = migrations.length;

/** "Post": two processes that start at once create the tables one after the other. */
const migrationLock = 0x506f7374;

/**
 * Creates the tables, or brings them up to date. Rejects with `unavailable` where
 * a newer program did, and with `not_found` where they should be `existing`.
 */
export async function migrate(client: PoolClient, schema: string, existing = false): Promise<void> {
  await client.query('BEGIN');
  try {
    await client.query('SELECT pg_advisory_xact_lock($1)', [migrationLock]);
    const version = await currentVersion(client, schema);
    if (version > schemaVersion)
      throw new PosternError(
        'unavailable',
        `the tables were written by a newer postern: their version is ${version}, this program knows up to ${schemaVersion}`,
      );
    if (version === 0 && existing) throw new PosternError('not_found', `there is no store in the schema ${schema}`);
    if (version === 0) await createSchema(client, schema);
    for (const script of migrations.slice(version)) await client.query(script(schema));
    if (version < schemaVersion) await client.query(`UPDATE ${schema}.state SET version = ${schemaVersion}`);
    await client.query('COMMIT');
  } catch (cause) {
    await client.query('ROLLBACK').catch(() => {});
    throw cause;
  }
}

/** Asks first: whoever was given a schema may not be allowed to create one. */
async function createSchema(client: PoolClient, schema: string): Promise<void> {
  const { rows } = await client.query<{ there: boolean }>('SELECT to_regnamespace($1) IS NOT NULL AS there', [schema]);
  if (rows[0]?.there !== true) await client.query(`CREATE SCHEMA ${schema}`);
}

/** 0 where there are no tables. */
async function currentVersion(client: PoolClient, schema: string): Promise<number> {
  const { rows } = await client.query<{ state: boolean }>(`SELECT to_regclass($1 || '.state') IS NOT NULL AS state`, [
    schema,
  ]);
  if (rows[0]?.state !== true) return 0;
  const found = await client.query<{ version: number }>(`SELECT version FROM ${schema}.state`);
  return found.rows[0]?.version ?? 0;
}
