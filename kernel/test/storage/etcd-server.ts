import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { chown, mkdtemp, rm } from 'node:fs/promises';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir, userInfo } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { needProgram } from '@postern/plugin-sdk/testing';

/** Skips what needs a server where there is none, loudly. */
export const needEtcd = (context: { skip(): unknown }): string => needProgram(context, 'etcd', 'etcd-server');

async function freePorts(): Promise<readonly [number, number]> {
  const servers = [createServer(), createServer()];
  const ports: number[] = [];
  for (const server of servers) {
    await once(server.listen(0, '127.0.0.1'), 'listening');
    ports.push((server.address() as AddressInfo).port);
  }
  for (const server of servers) await once(server.close(), 'close');
  return [ports[0] ?? 0, ports[1] ?? 0];
}

/** A real etcd of one member, which can be killed and started again with its data. */
export class EtcdServer implements AsyncDisposable {
  #child: ChildProcess | undefined;

  private constructor(
    private readonly program: string,
    readonly directory: string,
    private readonly ports: readonly [number, number],
    private readonly flags: readonly string[],
  ) {}

  static async start(program: string, flags: readonly string[] = []): Promise<EtcdServer> {
    for (let attempt = 1; ; attempt++) {
      const directory = await mkdtemp(join(tmpdir(), 'postern-state-'));
      if (userInfo().uid === 0) await chown(directory, 65_534, 65_534);
      const server = new EtcdServer(program, directory, await freePorts(), flags);
      try {
        await server.begin();
        return server;
      } catch (cause) {
        await server[Symbol.asyncDispose]();
        // Somebody else may have taken a port in between.
        if (attempt === 5) throw cause;
      }
    }
  }

  /** What the store needs to connect. */
  get endpoint(): string {
    const scheme = this.flags.some((flag) => flag.startsWith('--cert-file')) ? 'https' : 'http';
    return `${scheme}://127.0.0.1:${this.ports[0]}`;
  }

  /** Starts the server, and waits until it takes writes. */
  async begin(): Promise<void> {
    const [clients, peers] = [this.endpoint, `http://127.0.0.1:${this.ports[1]}`];
    const args = [
      ...[
        `--data-dir=${join(this.directory, 'data')}`,
        `--log-level=${clients.startsWith('https') ? 'info' : 'error'}`,
      ],
      ...[`--listen-client-urls=${clients}`, `--advertise-client-urls=${clients}`],
      ...[
        `--listen-peer-urls=${peers}`,
        `--initial-advertise-peer-urls=${peers}`,
        `--initial-cluster=default=${peers}`,
      ],
      ...this.flags,
    ];
    const user = userInfo().uid === 0 ? { uid: 65_534, gid: 65_534 } : {};
    const child = spawn(this.program, args, { ...user, stdio: ['ignore', 'ignore', 'pipe'], cwd: this.directory });
    this.#child = child;
    let log = '';
    child.stderr.setEncoding('utf8').on('data', (text: string) => (log = (log + text).slice(-8192)));
    for (let tries = 0; tries < 1_200; tries += 1) {
      if (child.exitCode !== null) throw new Error(`etcd did not start: ${log}`);
      if (log.includes('ready to serve') || (await this.#answers())) return;
      await sleep(25);
    }
    throw new Error(`etcd was not ready in time: ${log}`);
  }

  async kill(signal: 'SIGKILL' | 'SIGTERM' = 'SIGKILL'): Promise<void> {
    const child = this.#child;
    if (!child || child.exitCode !== null || child.signalCode !== null) return;
    const closed = once(child, 'close');
    child.kill(signal);
    await closed;
  }

  /** SIGSTOP: connections stay, and nothing answers. */
  signal(signal: 'SIGSTOP' | 'SIGCONT'): void {
    this.#child?.kill(signal);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.kill();
    await rm(this.directory, { recursive: true, force: true });
  }

  async #answers(): Promise<boolean> {
    const answer = await fetch(`${this.endpoint}/health`, { signal: AbortSignal.timeout(2_000) }).catch(
      () => undefined,
    );
    return (await answer?.text())?.includes('true') ?? false;
  }
}
