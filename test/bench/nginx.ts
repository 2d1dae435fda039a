import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { freePort } from './c-relay.js';

/** nginx with one short answer for every path, with and without TLS. */
export class Nginx implements AsyncDisposable {
  private constructor(
    readonly port: number,
    readonly tlsPort: number,
    private readonly child: ChildProcess,
  ) {}

  /** `key` and `certificate` are files. */
  static async start(directory: string, key: string, certificate: string): Promise<Nginx> {
    const [port, tlsPort] = [await freePort(), await freePort()];
    const config = join(directory, 'nginx.conf');
    const body = 'hello '.repeat(50);
    const lines = [
      'daemon off; worker_processes 1; error_log /dev/null crit;',
      `pid ${join(directory, 'nginx.pid')};`,
      'events { worker_connections 1024; }',
      'http { access_log off; keepalive_requests 10000000;',
      ...['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map((name) => `${name}_temp_path ${directory};`),
      `server { listen 127.0.0.1:${port}; listen 127.0.0.1:${tlsPort} ssl;`,
      `ssl_certificate ${certificate}; ssl_certificate_key ${key};`,
      `location / { default_type text/plain; return 200 '${body}'; } } }`,
    ];
    await writeFile(config, lines.join('\n'));
    const child = spawn('nginx', ['-p', directory, '-c', config], { stdio: ['ignore', 'ignore', 'inherit'] });
    await sleep(500);
    if (child.exitCode !== null) throw new Error('nginx did not start');
    return new Nginx(port, tlsPort, child);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const closed = once(this.child, 'close');
    this.child.kill('SIGTERM');
    if (this.child.exitCode === null) await closed;
  }
}
