import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { chmod, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { dialTcp } from '@postern/plugin-sdk/testing';
import { Authority } from '../../../plugins/kubernetes/test/support/authority.js';

/** nginx as a web application: files, an echo of what it was told, uploads, and TLS on a second port. */
export class NginxApplication implements AsyncDisposable {
  readonly host = '127.0.0.1';

  private constructor(
    readonly port: number,
    /** TLS, with a certificate for `inner.example`. */
    readonly tls: { readonly port: number; readonly ca: string },
    private readonly directory: string,
    private readonly child: ChildProcess,
  ) {}

  static async start(program: string): Promise<NginxApplication> {
    using authority = new Authority('inner');
    const { key, certificate } = authority.issue('inner', ['DNS:inner.example']);
    const directory = await mkdtemp(join(tmpdir(), 'postern-nginx-'));
    await chmod(directory, 0o755);
    const [port, tlsPort] = [await freePort(), await freePort()];
    await mkdir(join(directory, 'html', 'uploads'), { recursive: true });
    await Promise.all(['html', 'html/uploads'].map((name) => chmod(join(directory, name), 0o777)));
    await writeFile(join(directory, 'html', 'index.html'), '<h1>inside</h1>\n');
    await writeFile(join(directory, 'html', 'large'), Buffer.alloc(20_000_000, 'abcdefg'));
    await writeFile(join(directory, 'key.pem'), key);
    await writeFile(join(directory, 'certificate.pem'), certificate);
    await writeFile(join(directory, 'nginx.conf'), configuration(directory, port, tlsPort));
    const child = asNobody(program, ['-p', directory, '-c', join(directory, 'nginx.conf')], directory);
    const started = new NginxApplication(port, { port: tlsPort, ca: authority.certificate }, directory, child);
    await started.#listening();
    return started;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const { child } = this;
    if (child.exitCode === null && child.signalCode === null) {
      const exited = once(child, 'exit');
      child.kill('SIGTERM');
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
    throw new Error('nginx does not listen');
  }
}

function configuration(directory: string, port: number, tlsPort: number): string {
  const told = '$request_method $uri user=$http_postern_user from=$http_x_forwarded_for jwt=$http_postern_assertion';
  return [
    'daemon off; master_process off; error_log stderr crit;',
    `pid ${directory}/nginx.pid;`,
    'events { worker_connections 256; }',
    'http { access_log off; client_max_body_size 64m; default_type text/plain;',
    ...['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map((name) => `${name}_temp_path ${directory}/${name};`),
    `server { listen 127.0.0.1:${port}; listen 127.0.0.1:${tlsPort} ssl; root ${directory}/html;`,
    `ssl_certificate ${directory}/certificate.pem; ssl_certificate_key ${directory}/key.pem;`,
    `location /whoami { return 200 "${told}\\n"; }`,
    'location /uploads/ { dav_methods PUT DELETE; }',
    '} }',
  ].join('\n');
}

function asNobody(program: string, args: readonly string[], directory: string): ChildProcess {
  const options = { stdio: 'ignore' } as const;
  if (process.getuid?.() !== 0) return spawn(program, args, options);
  const rest = ['--reuid=nobody', '--regid=nogroup', '--clear-groups', '--', program, ...args];
  return spawn('sh', ['-c', 'chown -R nobody "$0" && exec setpriv "$@"', directory, ...rest], options);
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}
