import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { PosternError, type Logger } from '@postern/plugin-sdk';
import type { StorageConfiguration } from '../configuration/storage.js';
import { parseDuration } from '../rbac/duration.js';
import { refuseUnfinished } from './fill.js';
import type { StorageHealth } from './outage.js';
import type { Snapshot } from './snapshot.js';
import { holdLock } from './sqlite-file.js';
import { SqliteStore } from './sqlite-store.js';
import type { Store } from './store.js';

/** A store as a process has it: besides the contract, what health checks and backups ask. */
export interface ClusterStore extends Store {
  readonly health: StorageHealth;
  /** Everything as of one revision. Dispose of it soon. */
  snapshot(): Promise<Snapshot>;
}

export interface OpenStorageOptions {
  readonly configuration: StorageConfiguration;
  /** The data directory. The state itself is elsewhere, save for SQLite. */
  readonly data: string;
  /** To read what is there: rejects with `not_found` rather than make a file or tables. */
  readonly existing?: boolean;
  readonly now?: () => Date;
  readonly log?: Pick<Logger, 'error' | 'warn'>;
}

/** The file of the embedded store in a data directory. */
export const storeFile = (data: string): string => join(data, 'store', 'cluster.db');

/**
 * Opens what the configuration names, without regard to what is in it. Backends
 * are loaded when they are asked for. Rejects with `unavailable` where it cannot
 * be reached, and with `invalid_config` where it cannot be used.
 */
export async function connectStorage(options: OpenStorageOptions): Promise<ClusterStore> {
  const { configuration, data, existing = false, now, log } = options;
  const shared = { ...(now && { now }), ...(log && { log }) };
  if (configuration.kind === 'sqlite') {
    const path = storeFile(data);
    if (existing && !existsSync(path)) throw PosternError.public('not_found', `there is no store at ${path}`);
    return SqliteStore.open({ path, ...shared });
  }
  const { password, tls, patience } = configuration;
  const common = {
    ...shared,
    ...(password && { password: () => readSecret(password) }),
    patienceMs: parseDuration(patience) ?? 120_000,
  };
  if (configuration.kind === 'etcd') {
    const { EtcdStore } = await import('./etcd/store.js');
    const { endpoints, prefix, user, keep } = configuration;
    return EtcdStore.open({ ...common, endpoints, prefix, user, tls, keepMs: parseDuration(keep) });
  }
  const { PostgresStore } = await import('./postgres/store.js');
  const { host, port, database, user, schema } = configuration;
  const { enabled, server_name: serverName, ...files } = { ...configuration.tls };
  const encryption = enabled ? { tls: { ...files, serverName } } : {};
  return PostgresStore.open({ ...common, host, port, database, user, schema, existing, ...encryption });
}

/** The same for a process that will serve from it: nobody else uses its data directory, and the state is whole. */
export async function openStorage(options: OpenStorageOptions): Promise<ClusterStore> {
  const lock = options.configuration.kind === 'sqlite' ? undefined : await holdLock(join(options.data, 'process'));
  let store: ClusterStore | undefined;
  try {
    store = await connectStorage(options);
    await refuseUnfinished(store);
    return lock ? closing(store, () => lock.close()) : store;
  } catch (cause) {
    await store?.[Symbol.asyncDispose]();
    lock?.close();
    throw cause;
  }
}

/** The store, whose end is followed by something else. */
function closing(store: ClusterStore, then: () => void): ClusterStore {
  return {
    get health() {
      return store.health;
    },
    patienceMs: store.patienceMs,
    get: (key) => store.get(key),
    range: (prefix, options) => store.range(prefix, options),
    commit: (commit) => store.commit(commit),
    watch: (prefix, since, signal) => store.watch(prefix, since, signal),
    revision: () => store.revision(),
    snapshot: () => store.snapshot(),
    async [Symbol.asyncDispose]() {
      await store[Symbol.asyncDispose]();
      then();
    },
  };
}

async function readSecret(source: { readonly file: string } | { readonly env: string }): Promise<string> {
  const value =
    'env' in source
      ? (process.env[source.env] ?? '')
      : await readFile(source.file, 'utf8').catch((cause: unknown) => {
          throw new PosternError('invalid_config', `the password of the storage cannot be read from ${source.file}`, {
            cause,
          });
        });
  const text = value.replace(/\r?\n$/, '');
  if (text === '') throw new PosternError('invalid_config', 'the password of the storage is empty');
  return text;
}
