import { execFile, spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readdirSync } from 'node:fs';
import { chmod, chown, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir, userInfo } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import pg from 'pg';
import { needProgram } from '@postern/plugin-sdk/testing';

const execute = promisify(execFile);

/** PostgreSQL's programs, newest version first; undefined where none is installed. */
const programs: string | undefined = (() => {
  const root = '/usr/lib/postgresql';
  const versions = existsSync(root) ? readdirSync(root).sort((a, b) => Number(b) - Number(a)) : [];
  return versions.map((version) => join(root, version, 'bin')).find((path) => existsSync(join(path, 'initdb')));
})();

/** Skips what needs a server where there is none, loudly. */
export function needPostgres(context: { skip(): unknown }): void {
  if (programs === undefined) needProgram(context, 'initdb', 'postgresql-15');
}

/** PostgreSQL refuses to run as root: then somebody else runs it. */
async function unprivileged(): Promise<{ uid: number; gid: number } | undefined> {
  if (userInfo().uid !== 0) return undefined;
  const id = async (flag: string): Promise<number> =>
    execute('id', [flag, 'postgres']).then(
      ({ stdout }) => Number(stdout),
      () => 65_534,
    );
  return { uid: await id('-u'), gid: await id('-g') };
}

export interface PostgresServerOptions {
  /** Further settings of postgresql.conf. */
  readonly settings?: Readonly<Record<string, string>>;
  /** Lines of pg_hba.conf for TCP; everybody gets in by the unix socket. */
  readonly hba?: readonly string[];
  /** Files of the data directory. */
  readonly files?: Readonly<Record<string, string>>;
}

/** A real server that listens on a unix socket in a directory of its own, and can be killed and started again. */
export class PostgresServer implements AsyncDisposable {
  #child: ChildProcess | undefined;

  private constructor(
    /** Where the unix socket is. */
    readonly directory: string,
    private readonly user: { uid: number; gid: number } | undefined,
    private readonly settings: Readonly<Record<string, string>>,
  ) {}

  static async start(options: PostgresServerOptions = {}): Promise<PostgresServer> {
    const user = await unprivileged();
    const directory = await mkdtemp(join(tmpdir(), 'postern-state-'));
    const own = async (file: string, mode: number): Promise<void> => {
      if (user) await chown(file, user.uid, user.gid);
      await chmod(file, mode);
    };
    await own(directory, 0o755);
    const data = join(directory, 'data');
    const initdb = ['-D', data, '-U', 'postgres', '-A', 'trust', '-E', 'UTF8', '--locale=C.UTF-8', '--no-sync'];
    await execute(join(programs ?? '', 'initdb'), initdb, { ...user });
    const hba = ['local all all trust', ...(options.hba ?? []), ''].join('\n');
    for (const [name, text] of Object.entries({ ...options.files, 'pg_hba.conf': hba })) {
      await writeFile(join(data, name), text);
      await own(join(data, name), 0o600);
    }
    const server = new PostgresServer(directory, user, { ...defaults, ...options.settings });
    try {
      await server.begin();
      return server;
    } catch (cause) {
      await server[Symbol.asyncDispose]();
      throw cause;
    }
  }

  /** What the store needs to connect. */
  get options() {
    return { host: this.directory, port: this.#port, database: 'postgres', user: 'postgres' } as const;
  }

  get #port(): number {
    return Number(this.settings['port'] ?? 5432);
  }

  /** Runs SQL on a connection of its own. */
  async sql<Row extends object>(text: string): Promise<Row[]> {
    const client = new pg.Client(this.options);
    await client.connect();
    try {
      return (await client.query<Row>(text)).rows;
    } finally {
      await client.end();
    }
  }

  /** Starts the server, and waits until it answers. */
  async begin(): Promise<void> {
    const args = Object.entries({ ...this.settings, unix_socket_directories: this.directory });
    const child = spawn(
      join(programs ?? '', 'postgres'),
      ['-D', join(this.directory, 'data'), ...args.flatMap(([name, value]) => ['-c', `${name}=${value}`])],
      { ...this.user, stdio: ['ignore', 'ignore', 'pipe'], cwd: this.directory },
    );
    this.#child = child;
    let log = '';
    child.stderr.setEncoding('utf8').on('data', (text: string) => (log = (log + text).slice(-8192)));
    for (let tries = 0; tries < 1_200; tries += 1) {
      if (child.exitCode !== null) throw new Error(`PostgreSQL did not start: ${log}`);
      if (await this.#answers()) return;
      await sleep(25);
    }
    throw new Error(`PostgreSQL was not ready in time: ${log}`);
  }

  /** SIGKILL to the server and to all of its processes, as a crash of the machine would. */
  async kill(): Promise<void> {
    const child = this.#child;
    if (child?.pid === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const { stdout } = await execute('ps', ['-o', 'pid=', '--ppid', String(child.pid)]).catch(() => ({ stdout: '' }));
    const closed = once(child, 'close');
    child.kill('SIGKILL');
    for (const pid of stdout.split('\n').map(Number)) if (pid > 0) tryKill(pid);
    await closed;
  }

  /** Stops it: clients are told. */
  async stop(): Promise<void> {
    const child = this.#child;
    if (!child || child.exitCode !== null || child.signalCode !== null) return;
    const closed = once(child, 'close');
    child.kill('SIGINT');
    await closed;
  }

  /** SIGSTOP or SIGCONT for all of its processes: connections stay, and nothing answers. */
  async signal(signal: 'SIGSTOP' | 'SIGCONT'): Promise<void> {
    const parent = String(this.#child?.pid);
    const { stdout } = await execute('ps', ['-o', 'pid=', '--ppid', parent]);
    for (const pid of [parent, ...stdout.split('\n')].map(Number)) if (pid > 0) tryKill(pid, signal);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
    await rm(this.directory, { recursive: true, force: true });
  }

  async #answers(): Promise<boolean> {
    const args = ['-q', '-h', this.directory, '-p', String(this.#port)];
    return execute(join(programs ?? '', 'pg_isready'), args).then(
      () => true,
      () => false,
    );
  }
}

function tryKill(pid: number, signal: NodeJS.Signals = 'SIGKILL'): void {
  try {
    process.kill(pid, signal);
  } catch {
    // It has ended with its parent.
  }
}

const defaults = {
  listen_addresses: '',
  fsync: 'off',
  full_page_writes: 'off',
  max_connections: '100',
  shared_buffers: '32MB',
  log_min_messages: 'fatal',
};
