import { execFile } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { findProgram } from '@postern/plugin-sdk/testing';
import { standardPlugins } from '../../../config/src/standard.js';
import { RedisServer } from '../../../plugins/redis/test/support/redis-server.js';
import { TestCluster } from '../../support/cluster.js';
import type { TestLogin } from '../../support/login.js';

const everything = { labels: { '*': '*' }, users: ['app', 'default'], commands: ['*'] };

/** A cluster with a real server behind it, in which `app` has a password that the agent alone knows. */
export class RedisSite implements AsyncDisposable {
  #files = 0;

  private constructor(
    readonly cluster: TestCluster,
    readonly server: RedisServer,
    readonly home: string,
  ) {}

  /** `alice` may do everything but monitor, `mona` that too, `rita` may read, `bob` may become somebody else. */
  static async start(): Promise<RedisSite> {
    const home = await mkdtemp(join(tmpdir(), 'postern-e2e-'));
    const secret = join(home, 'secret');
    await writeFile(secret, 'pencil\n', { mode: 0o600 });
    const server = await RedisServer.start(findProgram('redis-server') ?? '', {
      users: { default: 'on nopass ~* &* +@all', app: 'on >pencil ~* &* +@all' },
    });
    const cluster = await TestCluster.start({
      plugins: standardPlugins,
      configuration: { agent: { secrets: { pencil: { file: secret } } } },
      roles: [
        { name: 'admin', allow: { redis: everything } },
        { name: 'watcher', allow: { redis: { ...everything, rights: ['monitor'] } } },
        {
          name: 'reader',
          allow: { redis: { ...everything, commands: ['@read', '@connection', '@transaction', 'command'] } },
        },
        { name: 'other', allow: { redis: { ...everything, users: ['somebody'] } } },
        { name: 'elsewhere', allow: { redis: { ...everything, labels: { env: 'none' } } } },
      ],
      resources: [
        {
          kind: 'redis',
          name: 'cache',
          spec: {
            host: server.host,
            port: server.port,
            user: 'app',
            tls: { mode: 'disable' },
            auth: { method: 'password', secret: { app: 'pencil' } },
          },
        },
      ],
      users: {
        alice: { roles: ['admin'] },
        mona: { roles: ['watcher'] },
        rita: { roles: ['reader'] },
        bob: { roles: ['other'] },
        eve: { roles: ['elsewhere'] },
      },
    });
    return new RedisSite(cluster, server, home);
  }

  get hostname(): string {
    return this.cluster.hostname('redis', 'cache');
  }

  /** How redis-cli reaches the server through the public port. */
  async options(login: TestLogin | undefined): Promise<string[]> {
    const stem = join(this.home, String((this.#files += 1)));
    await writeFile(`${stem}.ca`, this.cluster.authorities);
    const to = [
      '-h',
      '127.0.0.1',
      '-p',
      `${this.cluster.port}`,
      '--tls',
      '--sni',
      this.hostname,
      '--cacert',
      `${stem}.ca`,
    ];
    if (!login) return to;
    await writeFile(`${stem}.crt`, login.certificate);
    await writeFile(`${stem}.key`, login.key, { mode: 0o600 });
    return [...to, '--cert', `${stem}.crt`, '--key', `${stem}.key`];
  }

  /** Runs redis-cli to its end, with its input. */
  async cli(login: TestLogin | undefined, args: readonly string[], input?: string): Promise<string> {
    const all = [...(await this.options(login)), ...args];
    return new Promise((resolve) => {
      const child = execFile('redis-cli', all, { timeout: 15_000 }, (_, stdout, stderr) => resolve(stdout + stderr));
      child.stdin?.end(input);
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.cluster[Symbol.asyncDispose]();
    await this.server[Symbol.asyncDispose]();
    await rm(this.home, { recursive: true, force: true });
  }
}
