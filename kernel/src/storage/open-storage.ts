import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { PosternError, type Logger } from '@postern/plugin-sdk';
import { readSecret, type SecretSource } from '../configuration/secret-source.js';
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
    ...(password && { password: () => passwordIn(password) }),
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

/** The same for a process that will serve from it: the state is whole. */
export async function openStorage(options: OpenStorageOptions): Promise<ClusterStore> {
  const store = await connectStorage(options);
  try {
    await refuseUnfinished(store);
    return store;
  } catch (cause) {
    await store[Symbol.asyncDispose]();
    throw cause;
  }
}

/**
 * Keeps other processes out of a data directory until it is closed; `undefined`
 * where the store that lies in it does that. Rejects with `conflict`.
 */
export const lockData = async ({
  configuration,
  data,
}: Pick<OpenStorageOptions, 'configuration' | 'data'>): Promise<{ close(): void } | undefined> =>
  configuration.kind === 'sqlite' ? undefined : holdLock(join(data, 'process'));

async function passwordIn(source: SecretSource): Promise<string> {
  const missing = (why: string): PosternError =>
    new PosternError('invalid_config', `the password of the storage: ${why}`);
  const text = await readSecret(source, missing);
  if (text === '') throw missing('it is empty');
  return text;
}
