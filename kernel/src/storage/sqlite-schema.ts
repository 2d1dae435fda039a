import { PosternError } from '@postern/plugin-sdk';
import type { Database } from './sqlite-driver.js';

/** "Post": marks the file as ours, for `file` and for {@link migrate}. */
const applicationId = 0x506f7374;

/**
 * One script to a version, append-only: the schema's version is how many have
 * run, and is kept in SQLite's `user_version`.
 *
 * `event` is the change feed: one row for each key that a commit changed, where
 * no value means that the key was deleted. Everything up to `state.compacted` is
 * gone from it. `state.copied` is set in copies only.
 */
const migrations: readonly string[] = [
  `
  CREATE TABLE state (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    revision INTEGER NOT NULL,
    compacted INTEGER NOT NULL,
    copied INTEGER NOT NULL
  ) STRICT;
  INSERT INTO state VALUES (1, 0, 0, 0);
  CREATE TABLE entry (
    key TEXT PRIMARY KEY NOT NULL,
    revision INTEGER NOT NULL,
    expires INTEGER,
    value TEXT NOT NULL
  ) STRICT;
  CREATE INDEX entry_expires ON entry (expires) WHERE expires IS NOT NULL;
  CREATE TABLE event (
    revision INTEGER NOT NULL,
    position INTEGER NOT NULL,
    key TEXT NOT NULL,
    expires INTEGER,
    value TEXT,
    PRIMARY KEY (revision, position)
  ) STRICT, WITHOUT ROWID;
  `,
];

/** The newest schema that this program knows. */
export const schemaVersion = migrations.length;

const pragma = (database: Database, name: string): unknown =>
  Object.values(database.prepare(`PRAGMA ${name}`).get() ?? {})[0];

/**
 * Brings a file up to {@link schemaVersion} in one transaction. Refuses, and
 * leaves untouched, a file of a newer program and a file that is not ours.
 */
export function migrate(database: Database): void {
  const version = Number(pragma(database, 'user_version'));
  const id = pragma(database, 'application_id');
  const empty = Number(database.prepare('SELECT count(*) AS count FROM sqlite_schema').get()?.['count']) === 0;
  if (id !== applicationId && !(id === 0 && version === 0 && empty))
    throw new PosternError('invalid_config', 'the file is a database of another program');
  if (version > schemaVersion)
    throw new PosternError(
      'unavailable',
      `the file was written by a newer postern: its schema is ${version}, this program knows up to ${schemaVersion}`,
    );
  if (version === schemaVersion) return;
  const scripts = migrations.slice(version).join('');
  database.exec(
    `BEGIN IMMEDIATE; ${scripts} PRAGMA application_id = ${applicationId}; PRAGMA user_version = ${schemaVersion}; COMMIT`,
  );
}

/**
 * Sets what durability and secrecy rest on, and makes sure that it took effect:
 * a binding may be built with weaker defaults, and a file system may not be able
 * to hold a write-ahead log.
 */
export function configure(database: Database, inMemory: boolean): void {
  database.exec(`
    PRAGMA busy_timeout = 100;
    PRAGMA journal_mode = WAL;
    PRAGMA synchronous = FULL;
    PRAGMA fullfsync = ON;
    PRAGMA checkpoint_fullfsync = ON;
    PRAGMA journal_size_limit = 16777216;
    PRAGMA secure_delete = ON;
    PRAGMA temp_store = MEMORY;
    PRAGMA trusted_schema = OFF;
    PRAGMA cell_size_check = ON;
  `);
  const journal = pragma(database, 'journal_mode');
  const synchronous = pragma(database, 'synchronous');
  if (journal !== (inMemory ? 'memory' : 'wal') || synchronous !== 2)
    throw new PosternError(
      'unavailable',
      `the file cannot be made durable: journal_mode is ${String(journal)}, synchronous is ${String(synchronous)}`,
    );
}
