import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readdirSync } from 'node:fs';
import { chmod, chown, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir, userInfo } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { needProgram } from '@postern/plugin-sdk/testing';
import { run, succeed } from './program.js';

export interface PostgresServerOptions {
  /** PEM texts. With them the server speaks TLS, and asks for client certificates of `clientAuthority`. */
  readonly tls?: { readonly certificate: string; readonly key: string; readonly clientAuthority?: string };
  /** Lines of pg_hba.conf for TCP connections; the superuser always gets in by the unix socket. */
  readonly hba?: readonly string[];
  /** Further settings of postgresql.conf, as in SQL. */
  readonly settings?: Readonly<Record<string, string>>;
}

/** PostgreSQL's programs, newest version first; undefined where none is installed. */
export const postgresPrograms: string | undefined = (() => {
  const root = '/usr/lib/postgresql';
  const versions = existsSync(root) ? readdirSync(root).sort((a, b) => Number(b) - Number(a)) : [];
  return versions.map((version) => join(root, version, 'bin')).find((path) => existsSync(join(path, 'initdb')));
})();

/** Skips what needs a server where there is none, loudly. */
export function needPostgres(context: { skip(): unknown }): void {
  needProgram(context, 'psql', 'postgresql-client');
  if (postgresPrograms === undefined) needProgram(context, 'initdb', 'postgresql');
}

/** PostgreSQL refuses to run as root: then somebody else runs it. */
async function unprivileged(): Promise<{ uid: number; gid: number } | undefined> {
  if (userInfo().uid !== 0) return undefined;
  const { status, stdout } = await run('id', ['-u', 'postgres']);
  const uid = status === 0 ? Number(stdout) : 65_534;
  return { uid, gid: uid === 65_534 ? 65_534 : Number(await succeed('id', ['-g', 'postgres'])) };
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}

/** A real PostgreSQL server on a free port of 127.0.0.1, in a directory of its own that goes with it. */
export class PostgresServer implements AsyncDisposable {
  readonly host = '127.0.0.1';
  /** The superuser, who gets in by the unix socket alone. */
  readonly superuser = 'postgres';

  private constructor(
    /** Where the unix socket is. */
    readonly directory: string,
    readonly port: number,
    private readonly child: ChildProcess,
  ) {}

  static async start(options: PostgresServerOptions = {}): Promise<PostgresServer> {
    if (!postgresPrograms) throw new Error('PostgreSQL is not installed: apt-get install postgresql-15');
    const user = await unprivileged();
    const directory = await mkdtemp(join(tmpdir(), 'postern-pg-'));
    const own = async (file: string, mode: number): Promise<void> => {
      if (user) await chown(file, user.uid, user.gid);
      await chmod(file, mode);
    };
    await own(directory, 0o755);
    const data = join(directory, 'data');
    const initdb = ['-D', data, '-U', 'postgres', '-A', 'trust', '-E', 'UTF8', '--locale=C.UTF-8', '--no-sync'];
    await succeed(join(postgresPrograms, 'initdb'), initdb, { user });
    const put = async (name: string, text: string): Promise<string> => {
      const file = join(data, name);
      await writeFile(file, text);
      await own(file, 0o600);
      return file;
    };
    const port = await freePort();
    const settings = { ...defaults, ...(await tlsSettings(options, put)), ...options.settings };
    await put('pg_hba.conf', ['local all postgres trust', ...(options.hba ?? []), ''].join('\n'));
    const args = Object.entries({ ...settings, port: String(port), unix_socket_directories: directory });
    const child = spawn(
      join(postgresPrograms, 'postgres'),
      ['-D', data, ...args.flatMap(([name, value]) => ['-c', `${name}=${value}`])],
      { ...user, stdio: ['ignore', 'ignore', 'pipe'], cwd: directory },
    );
    let log = '';
    child.stderr.setEncoding('utf8').on('data', (text: string) => (log = (log + text).slice(-8192)));
    const server = new PostgresServer(directory, port, child);
    try {
      await server.#ready();
    } catch (cause) {
      await server[Symbol.asyncDispose]();
      throw new Error(`PostgreSQL did not start: ${log}`, { cause });
    }
    return server;
  }

  /** Trusts these client authorities instead, in PEM, from the next connection on. */
  async trustClients(authorities: string): Promise<void> {
    await writeFile(join(this.directory, 'data', clientAuthorities), authorities);
    await this.sql('select pg_reload_conf()');
  }

  /** Runs SQL as the superuser, past everything that is tested, and returns what psql prints, unaligned. */
  sql(text: string, database = 'postgres'): Promise<string> {
    const connection = `host=${this.directory} port=${this.port} user=${this.superuser} dbname=${database}`;
    return succeed('psql', ['-XAtq', '-v', 'ON_ERROR_STOP=1', connection], { input: text });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.child.exitCode === null && this.child.signalCode === null) {
      const exited = once(this.child, 'close');
      this.child.kill('SIGINT');
      await exited;
    }
    await rm(this.directory, { recursive: true, force: true });
  }

  async #ready(): Promise<void> {
    const args = ['-q', '-h', this.directory, '-p', String(this.port)];
    for (let tries = 0; tries < 400; tries += 1) {
      if (this.child.exitCode !== null) throw new Error('the server ended');
      if ((await run('pg_isready', args)).status === 0) return;
      await sleep(25);
    }
    throw new Error('the server was not ready in time');
  }
}

/** In the data directory. */
const clientAuthorities = 'clients.crt';

const defaults = {
  listen_addresses: '127.0.0.1',
  fsync: 'off',
  synchronous_commit: 'off',
  full_page_writes: 'off',
  max_connections: '50',
  shared_buffers: '32MB',
  wal_level: 'logical',
  max_wal_senders: '4',
  log_min_messages: 'fatal',
};

async function tlsSettings(
  { tls }: PostgresServerOptions,
  put: (name: string, text: string) => Promise<string>,
): Promise<Record<string, string>> {
  if (!tls) return {};
  return {
    ssl: 'on',
    ssl_cert_file: await put('server.crt', tls.certificate),
    ssl_key_file: await put('server.key', tls.key),
    ...(tls.clientAuthority && { ssl_ca_file: await put(clientAuthorities, tls.clientAuthority) }),
  };
}
