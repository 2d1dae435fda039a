import { checkServerIdentity, type ConnectionOptions } from 'node:tls';
import pg, { type ClientConfig, type Pool, type PoolClient } from 'pg';
import { PosternError } from '@postern/plugin-sdk';
import { readTlsFiles } from '../tls-files.js';
import type { PostgresOptions, PostgresTls } from './options.js';

const readTls = ({ serverName, ...files }: PostgresTls): ConnectionOptions => ({
  ...readTlsFiles(files),
  ...(serverName !== undefined && named(serverName)),
});

/** The library names the host to the server where it is no address, whatever it was told: so the name is checked here. */
const named = (name: string): ConnectionOptions => ({
  servername: name,
  checkServerIdentity: (_host, certificate) => checkServerIdentity(name, certificate),
});

/** Where to connect, and how long to wait. */
export function clientConfig(options: PostgresOptions): ClientConfig {
  const { host, port, database, user, password, timeoutMs = 10_000 } = options;
  const tls = host.startsWith('/') ? undefined : options.tls;
  return {
    host,
    port,
    database,
    user,
    application_name: 'postern',
    keepAlive: true,
    connectionTimeoutMillis: timeoutMs,
    query_timeout: timeoutMs,
    // Where the server has no such answer either, somebody else must not wait for this one's lock.
    statement_timeout: timeoutMs,
    idle_in_transaction_session_timeout: 60_000,
    ...(password && { password }),
    ssl: tls ? readTls(tls) : false,
  };
}

/**
 * Refuses a server that cannot keep what the store promises: one that only
 * follows another, or that does not store text as UTF-8.
 */
async function prepare(client: Pick<PoolClient, 'query'>): Promise<void> {
  const { rows } = await client.query<{ recovery: boolean; encoding: string }>(
    `SELECT pg_is_in_recovery() AS recovery, current_setting('server_encoding') AS encoding,
      CASE WHEN current_setting('synchronous_commit') = 'off' THEN set_config('synchronous_commit', 'on', false) END`,
  );
  if (rows[0]?.recovery !== false)
    throw new PosternError('unavailable', 'the server is a standby, which takes no writes: name the primary');
  if (rows[0].encoding !== 'UTF8')
    throw new PosternError('invalid_config', `the database stores text as ${rows[0].encoding}: it must be UTF8`);
}

/** Connections that are made when they are needed, and closed after some idle time. */
export function openPool(options: PostgresOptions): Pool {
  // Made anew for each connection: certificates are renewed while the process runs.
  class Connection extends pg.Client {
    constructor() {
      super(clientConfig(options));
    }
  }
  const { timeoutMs = 10_000 } = options;
  // The pool waits for it, whatever its types say.
  const checked = { onConnect: prepare };
  const pool = new pg.Pool({
    ...checked,
    Client: Connection,
    max: options.connections ?? 8,
    idleTimeoutMillis: 30_000,
    connectionTimeoutMillis: timeoutMs,
    allowExitOnIdle: true,
  });
  // An idle connection that breaks is replaced by the next request, which says so where it cannot.
  pool.on('error', () => {});
  return pool;
}

/** Whatever was thrown while the store was `doing` something: `unavailable`, unless it says better what it is. */
export function failure(doing: string, cause: unknown): PosternError {
  if (PosternError.is(cause)) return new PosternError(cause.code, `${doing}: ${cause.message}`, { cause });
  return new PosternError('unavailable', `${doing}: ${reasonOf(cause)}`, { cause });
}

/** Of several addresses that all refused, the first says enough. */
function reasonOf(cause: unknown): string {
  if (cause instanceof AggregateError && cause.errors.length > 0) return reasonOf(cause.errors[0]);
  return cause instanceof Error ? cause.message : String(cause);
}
