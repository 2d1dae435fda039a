import { execFile, spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { chmod, chown, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { setTimeout as sleep } from 'node:timers/promises';
import { needProgram } from '@postern/plugin-sdk/testing';

const run = promisify(execFile);

export interface MariadbServerOptions {
  /** PEM: the server then speaks TLS, and checks client certificates against `clientAuthority`. */
  readonly tls?: { readonly certificate: string; readonly key: string; readonly clientAuthority: string };
  /** Statements that root runs once the server is there. */
  readonly sql?: string;
}

/** Skips what needs a server where there is none, loudly. */
export function needMariadb(context: { skip(): unknown }): void {
  needProgram(context, 'mariadbd', 'mariadb-server');
  needProgram(context, 'mariadb', 'mariadb-client');
}

/** Servers do not run as root: `nobody` does it then. */
const nobody = process.getuid?.() === 0 ? { uid: 65_534, gid: 65_534 } : undefined;

/** A real MariaDB server on a free port of 127.0.0.1, in a directory of its own that goes with it. */
export class MariadbServer implements AsyncDisposable {
  readonly host = '127.0.0.1';

  private constructor(
    readonly port: number,
    private readonly directory: string,
    private readonly child: ChildProcess,
  ) {}

  static async start({ tls, sql }: MariadbServerOptions = {}): Promise<MariadbServer> {
    const directory = await mkdtemp(join(tmpdir(), 'postern-mariadb-'));
    if (nobody) await chown(directory, nobody.uid, nobody.gid);
    await chmod(directory, 0o755);
    const data = join(directory, 'data');
    const install = [
      '--no-defaults',
      `--datadir=${data}`,
      '--auth-root-authentication-method=normal',
      '--skip-test-db',
    ];
    await run('mariadb-install-db', [...install, ...(nobody ? ['--user=nobody'] : [])], { timeout: 60_000 });
    const port = await freePort();
    const options = [
      ...['--no-defaults', `--datadir=${data}`, `--socket=${join(directory, 'socket')}`, `--port=${port}`],
      ...['--bind-address=127.0.0.1', '--skip-name-resolve', '--local-infile=1', '--max-allowed-packet=256M'],
      ...[
        '--innodb-flush-log-at-trx-commit=0',
        '--innodb-buffer-pool-size=32M',
        `--pid-file=${join(directory, 'pid')}`,
      ],
      '--plugin-load-add=auth_ed25519',
      ...(tls ? await tlsFiles(directory, tls) : []),
    ];
    const child = spawn('mariadbd', options, { stdio: 'ignore', ...nobody });
    const server = new MariadbServer(port, directory, child);
    await server.#listening();
    if (sql !== undefined) await server.sql(sql);
    return server;
  }

  /** Runs statements as root, by the unix socket, and returns what they print. */
  async sql(statements: string): Promise<string> {
    const args = ['--no-defaults', '-NB', '-u', 'root', `--socket=${join(this.directory, 'socket')}`, '-e', statements];
    return (await run('mariadb', args)).stdout;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const { child } = this;
    if (child.exitCode === null && child.signalCode === null) {
      const exited = once(child, 'exit');
      child.kill('SIGKILL');
      await exited;
    }
    await rm(this.directory, { recursive: true, force: true });
  }

  async #listening(): Promise<void> {
    for (let tries = 0; tries < 400; tries++) {
      if (await this.sql('select 1').catch(() => undefined)) return;
      if (this.child.exitCode !== null) break;
      await sleep(50);
    }
    await this[Symbol.asyncDispose]();
    throw new Error('mariadbd does not answer');
  }
}

async function tlsFiles(directory: string, tls: NonNullable<MariadbServerOptions['tls']>): Promise<string[]> {
  const put = async (name: string, text: string): Promise<string> => {
    const file = join(directory, name);
    await writeFile(file, text, { mode: 0o600 });
    if (nobody) await chown(file, nobody.uid, nobody.gid);
    return file;
  };
  return [
    `--ssl-cert=${await put('server.crt', tls.certificate)}`,
    `--ssl-key=${await put('server.key', tls.key)}`,
    `--ssl-ca=${await put('clients.crt', tls.clientAuthority)}`,
  ];
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}
