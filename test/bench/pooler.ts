import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir, userInfo } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { succeed } from '../../plugins/postgres/test/support/program.js';
import { freePort } from './c-relay.js';

/**
 * pgbouncer, which ends TLS and relays in one C program that speaks the
 * protocol. It keeps connections to the server open: a session of a client
 * finds one that is logged in already.
 */
export class Pooler implements AsyncDisposable {
  private constructor(
    readonly port: number,
    private readonly directory: string,
    private readonly child: ChildProcess,
  ) {}

  /** Lets a user into a database without a password. */
  static async start(
    target: { readonly port: number; readonly user: string; readonly database: string },
    tls: { readonly key: string; readonly certificate: string },
  ): Promise<Pooler> {
    const directory = await mkdtemp(join(tmpdir(), 'postern-pooler-'));
    const port = await freePort();
    const settings = [
      ...['[databases]', `${target.database} = host=127.0.0.1 port=${target.port}`, '[pgbouncer]'],
      ...['listen_addr = 127.0.0.1', `listen_port = ${port}`, 'unix_socket_dir =', 'logfile =', 'pool_mode = session'],
      ...['max_client_conn = 200', 'default_pool_size = 100', 'log_connections = 0', 'log_disconnections = 0'],
      ...['auth_type = trust', 'auth_file = users.txt', 'client_tls_sslmode = require'],
      ...['client_tls_key_file = pooler.key', 'client_tls_cert_file = pooler.crt'],
    ];
    await writeFile(join(directory, 'pooler.ini'), `${settings.join('\n')}\n`);
    await writeFile(join(directory, 'users.txt'), `"${target.user}" ""\n`);
    await writeFile(join(directory, 'pooler.key'), tls.key, { mode: 0o600 });
    await writeFile(join(directory, 'pooler.crt'), tls.certificate);
    // It does not run as root.
    const isRoot = userInfo().uid === 0;
    if (isRoot) await succeed('chown', ['-R', 'nobody', directory]);
    const args = ['-q', ...(isRoot ? ['-u', 'nobody'] : []), 'pooler.ini'];
    const child = spawn('pgbouncer', args, { cwd: directory, stdio: ['ignore', 'ignore', 'inherit'] });
    await sleep(1000);
    if (child.exitCode !== null) throw new Error('pgbouncer did not start');
    return new Pooler(port, directory, child);
  }

  get pids(): readonly number[] {
    return this.child.pid === undefined ? [] : [this.child.pid];
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const closed = once(this.child, 'close');
    this.child.kill('SIGTERM');
    if (this.child.exitCode === null) await closed;
    await rm(this.directory, { recursive: true, force: true });
  }
}
