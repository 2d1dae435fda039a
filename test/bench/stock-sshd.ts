import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir, userInfo } from 'node:os';
import { join } from 'node:path';
import { succeed } from '../../plugins/postgres/test/support/program.js';

/** OpenSSH's own server on loopback, which lets this user in by a key. */
export class StockSshd implements AsyncDisposable {
  private constructor(
    readonly directory: string,
    readonly port: number,
    private readonly child: ChildProcess,
  ) {}

  static async start(): Promise<StockSshd> {
    const directory = await mkdtemp(join(tmpdir(), 'postern-sshd-'));
    for (const name of ['host', 'user'])
      await succeed('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-f', join(directory, name)]);
    const listener = createServer().listen(0, '127.0.0.1');
    await once(listener, 'listening');
    const { port } = listener.address() as AddressInfo;
    listener.close();
    const config = join(directory, 'sshd_config');
    const lines = [
      `Port ${port}`,
      'ListenAddress 127.0.0.1',
      `HostKey ${join(directory, 'host')}`,
      `AuthorizedKeysFile ${join(directory, 'user.pub')}`,
      'PidFile none',
      'StrictModes no',
      'Subsystem sftp /usr/lib/openssh/sftp-server',
      'UsePAM no',
      'PermitRootLogin prohibit-password',
      'LogLevel ERROR',
    ];
    await writeFile(config, `${lines.join('\n')}\n`);
    // It insists on the directory for the part that has no rights; Debian's service makes it.
    await succeed('mkdir', ['-p', '/run/sshd']);
    const child = spawn('/usr/sbin/sshd', ['-D', '-e', '-f', config], { stdio: ['ignore', 'ignore', 'inherit'] });
    return new StockSshd(directory, port, child);
  }

  /** Options of `ssh`, and whom to call. Nothing of the machine's own configuration is read. */
  get target(): readonly string[] {
    const options = {
      Port: this.port,
      HostName: '127.0.0.1',
      IdentityFile: join(this.directory, 'user'),
      IdentitiesOnly: 'yes',
      StrictHostKeyChecking: 'no',
      UserKnownHostsFile: '/dev/null',
      LogLevel: 'ERROR',
      ConnectionAttempts: 3,
    };
    const pairs = Object.entries(options).flatMap(([name, value]) => ['-o', `${name}=${value}`]);
    return ['-F', 'none', ...pairs, `${userInfo().username}@direct`];
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const closed = once(this.child, 'close');
    if (this.child.exitCode === null && this.child.kill('SIGTERM')) await closed;
    await rm(this.directory, { recursive: true, force: true });
  }
}
