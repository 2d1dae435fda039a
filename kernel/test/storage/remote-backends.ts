import type { EtcdOptions } from '../../src/storage/etcd/options.js';
import { EtcdStore } from '../../src/storage/etcd/store.js';
import type { ClusterStore } from '../../src/storage/index.js';
import type { PostgresOptions } from '../../src/storage/postgres/options.js';
import { PostgresStore } from '../../src/storage/postgres/store.js';
import { EtcdServer, needEtcd } from './etcd-server.js';
import { needPostgres, PostgresServer } from './postgres-server.js';

/** What the tests of both backends ask of a server. */
export interface RemoteServer extends AsyncDisposable {
  kill(): Promise<void>;
  begin(): Promise<void>;
  signal(signal: 'SIGSTOP' | 'SIGCONT'): Promise<void> | void;
}

/** Options that both backends know. */
export type CommonOptions = Pick<PostgresOptions & EtcdOptions, 'timeoutMs' | 'patienceMs' | 'now'>;

/** A backend with a server that is about to be treated badly. */
export interface RemoteBackend {
  readonly name: string;
  /** `quick` is for tests in which nothing crashes: nothing waits for the disk. */
  start(context: Mocha.Context, durability?: 'quick'): Promise<RemoteServer>;
  /** Clients of the same name share their state. */
  open(server: RemoteServer, name: string, options?: CommonOptions): Promise<ClusterStore & Compacting>;
  /** The `storage` section of `postern.yaml`. */
  configuration(server: RemoteServer, name: string): Readonly<Record<string, unknown>>;
}

export interface Compacting {
  compact(): Promise<void>;
}

const postgres: RemoteBackend = {
  name: 'PostgreSQL',
  async start(context, durability) {
    needPostgres(context);
    return PostgresServer.start({ settings: { fsync: durability ? 'off' : 'on' } });
  },
  open: (server, schema, options) =>
    PostgresStore.open({ ...(server as PostgresServer).options, schema, keepBytes: 512 * 1024 * 1024, ...options }),
  configuration: (server, schema) => ({ kind: 'postgres', ...(server as PostgresServer).options, schema }),
};

const etcd: RemoteBackend = {
  name: 'etcd',
  start: (context, durability) => EtcdServer.start(needEtcd(context), durability ? ['--unsafe-no-fsync'] : []),
  open: (server, name, options) =>
    EtcdStore.open({
      endpoints: [(server as EtcdServer).endpoint],
      prefix: `${name}/`,
      pulseMs: 200,
      ...options,
    }),
  configuration: (server, name) => ({
    kind: 'etcd',
    endpoints: [(server as EtcdServer).endpoint],
    prefix: `${name}/`,
  }),
};

export const remoteBackends: readonly RemoteBackend[] = [postgres, etcd];
