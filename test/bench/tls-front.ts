import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { freePort } from './c-relay.js';

export interface TlsFrontOptions {
  readonly port: number;
  readonly sni?: string;
  /** Files of a client certificate. */
  readonly certificate?: string;
  readonly key?: string;
}

/** stunnel as a client, for load generators that present no certificate. It stands before every path alike. */
export class TlsFront implements AsyncDisposable {
  private constructor(
    readonly port: number,
    private readonly child: ChildProcess,
  ) {}

  static async start(directory: string, { port, sni, certificate, key }: TlsFrontOptions): Promise<TlsFront> {
    const front = await freePort();
    const config = join(directory, `front-${front}.conf`);
    const lines = [
      ...['foreground = yes', 'pid =', 'debug = 3', '[front]', 'client = yes'],
      ...[`accept = 127.0.0.1:${front}`, `connect = 127.0.0.1:${port}`],
      ...(sni === undefined ? [] : [`sni = ${sni}`]),
      ...(certificate === undefined ? [] : [`cert = ${certificate}`, `key = ${key}`]),
    ];
    await writeFile(config, `${lines.join('\n')}\n`);
    const child = spawn('stunnel4', [config], { stdio: 'ignore' });
    await sleep(500);
    if (child.exitCode !== null) throw new Error('stunnel did not start');
    return new TlsFront(front, child);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const closed = once(this.child, 'close');
    this.child.kill('SIGTERM');
    if (this.child.exitCode === null) await closed;
  }
}
