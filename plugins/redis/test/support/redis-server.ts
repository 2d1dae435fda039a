import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { dialTcp } from '@postern/plugin-sdk/testing';

export interface RedisServerOptions {
  /** Rules of `ACL SETUSER`, by user. */
  readonly users?: Readonly<Record<string, string>>;
  /** PEM: the server then speaks TLS, and asks for a certificate of `ca`. */
  readonly tls?: { readonly certificate: string; readonly key: string; readonly ca: string };
}

/** A redis-server of this machine, without persistence, on a free port of the loopback interface. */
export class RedisServer implements AsyncDisposable {
  readonly host = '127.0.0.1';

  private constructor(
    readonly port: number,
    private readonly directory: string,
    private readonly child: ChildProcess,
  ) {}

  static async start(program: string, { users = {}, tls }: RedisServerOptions = {}): Promise<RedisServer> {
    const directory = await mkdtemp(join(tmpdir(), 'postern-redis-'));
    await chmod(directory, 0o755);
    const file = async (name: string, text: string): Promise<string> => {
      await writeFile(join(directory, name), text, { mode: 0o644 });
      return join(directory, name);
    };
    const rules = Object.entries(users).map(([user, rule]) => `user ${user} ${rule}\n`);
    const port = await freePort();
    const listen = tls
      ? ['--port', '0', '--tls-port', `${port}`]
          .concat(['--tls-cert-file', await file('tls.crt', tls.certificate)])
          .concat([
            '--tls-key-file',
            await file('tls.key', tls.key),
            '--tls-ca-cert-file',
            await file('ca.crt', tls.ca),
          ])
      : ['--port', `${port}`];
    const acl = rules.length > 0 ? ['--aclfile', await file('users.acl', rules.join(''))] : [];
    const args = ['--bind', '127.0.0.1', '--save', '', '--appendonly', 'no', '--dir', directory, ...listen, ...acl];
    const child = asNobody(program, args);
    const server = new RedisServer(port, directory, child);
    await server.#listening();
    return server;
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
    for (let tries = 0; tries < 300; tries++) {
      const socket = await dialTcp(this).catch(() => undefined);
      socket?.destroy();
      if (socket) return;
      if (this.child.exitCode !== null) break;
      await sleep(20);
    }
    await this[Symbol.asyncDispose]();
    throw new Error('redis-server does not listen');
  }
}

/** Servers must not run as root, nor keep what they are told. */
function asNobody(program: string, args: readonly string[]): ChildProcess {
  const options = { stdio: 'ignore' } as const;
  if (process.getuid?.() !== 0) return spawn(program, args, options);
  const rest = ['--reuid=nobody', '--regid=nogroup', '--clear-groups', '--', program, ...args];
  return spawn('setpriv', rest, options);
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}
