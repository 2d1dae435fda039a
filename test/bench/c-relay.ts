import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import { createServer, type AddressInfo } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

/** Where nothing listens at this moment. */
export async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  return port;
}

/**
 * What people put together from C programs for the same job: stunnel ends TLS
 * in the protocol's own way, haproxy relays. Neither knows users or statements.
 */
export class CRelay implements AsyncDisposable {
  private constructor(
    readonly port: number,
    /** Where a client that speaks no TLS is given it. */
    readonly plainPort: number,
    private readonly children: readonly ChildProcess[],
  ) {}

  /** `protocol` is one whose clients ask for TLS in clear, by stunnel's name for it. */
  static async start(directory: string, target: number, pem: string, protocol?: 'pgsql'): Promise<CRelay> {
    const [port, plain, between] = [await freePort(), await freePort(), await freePort()];
    await writeFile(join(directory, 'relay.pem'), pem, { mode: 0o600 });
    await writeFile(
      join(directory, 'stunnel.conf'),
      `foreground = yes\npid =\ndebug = 3\n[relay]\naccept = 127.0.0.1:${port}\nconnect = 127.0.0.1:${between}\n` +
        `cert = ${join(directory, 'relay.pem')}\n${protocol === undefined ? '' : `protocol = ${protocol}\n`}` +
        `[client]\nclient = yes\naccept = 127.0.0.1:${plain}\nconnect = 127.0.0.1:${port}\n`,
    );
    await writeFile(
      join(directory, 'haproxy.cfg'),
      `defaults\n  mode tcp\n  timeout connect 5s\n  timeout client 1h\n  timeout server 1h\n` +
        `listen relay\n  bind 127.0.0.1:${between}\n  server target 127.0.0.1:${target}\n`,
    );
    const children = [
      spawn('stunnel4', [join(directory, 'stunnel.conf')], { stdio: 'ignore' }),
      spawn('haproxy', ['-db', '-f', join(directory, 'haproxy.cfg')], { stdio: 'ignore' }),
    ];
    await sleep(1000);
    if (children.some(({ exitCode }) => exitCode !== null)) throw new Error('stunnel or haproxy did not start');
    return new CRelay(port, plain, children);
  }

  get pids(): readonly number[] {
    return this.children.flatMap(({ pid }) => pid ?? []);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const child of this.children) {
      const closed = once(child, 'close');
      child.kill('SIGTERM');
      if (child.exitCode === null) await closed;
    }
  }
}
