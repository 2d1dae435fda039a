import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { binary } from '../../config/test/support/programs.js';
import { CRelay } from './c-relay.js';
import { Product } from './product.js';
import { Resources } from './resources.js';
import { selfSigned } from './self-signed.js';
import type { TlsFrontOptions } from './tls-front.js';

export interface RelayedServiceOptions {
  readonly kind: string;
  /** What a role says of the kind, besides all labels. */
  readonly allow: Readonly<Record<string, unknown>>;
  /** The port of the server without TLS, on 127.0.0.1. */
  readonly port: number;
  /** Of the resource, beside its address. */
  readonly spec: Readonly<Record<string, unknown>>;
  /** More of the agent's section of `postern.yaml`. */
  readonly agent?: Readonly<Record<string, unknown>>;
}

/** One server on this machine, with Postern before it, and with a C relay before it that ends TLS. */
export class RelayedService implements AsyncDisposable {
  private constructor(
    readonly directory: string,
    readonly product: Product,
    readonly relay: CRelay,
    private readonly resources: Resources,
  ) {}

  static async start({ kind, allow, port, spec, agent = {} }: RelayedServiceOptions): Promise<RelayedService> {
    await using resources = new Resources();
    const directory = await mkdtemp(join(tmpdir(), 'postern-bench-'));
    resources.defer(() => rm(directory, { recursive: true, force: true }));
    const { key, certificate } = await selfSigned(directory);
    const relay = resources.use(await CRelay.start(directory, port, `${key}${certificate}`));
    // JSON is YAML.
    const configuration = JSON.stringify({
      cluster: 'bench.example.com',
      data: '.postern',
      agent: { ...agent, accept: { labels: { '*': '*' }, allow_addresses: ['127.0.0.0/8'] } },
    });
    const product = resources.use(await Product.start(configuration, { [kind]: { labels: { '*': '*' }, ...allow } }));
    await product.register(kind, 'bench', { host: '127.0.0.1', port, ...spec });
    await product.logIn();
    return new RelayedService(directory, product, relay, resources.move());
  }

  /** How a client that names the resource gets there with what `psh login` has left. */
  async credentials(kind: string): Promise<Required<TlsFrontOptions>> {
    const all = join(this.product.cluster.home, '.psh');
    const [cluster] = (await readdir(all, { withFileTypes: true })).filter((entry) => entry.isDirectory());
    if (!cluster) throw new Error('nobody has logged in');
    return {
      port: Number(this.product.cluster.port),
      sni: `bench.${kind}.${cluster.name}`,
      certificate: join(all, cluster.name, 'tls.crt'),
      key: join(all, cluster.name, 'tls.key'),
    };
  }

  /** Serves a local socket as a user does who runs `psh proxy`; resolves with its path and the process. */
  async forward(kind: string): Promise<{ readonly socket: string; readonly pid: number }> {
    const { cluster } = this.product;
    const socket = join(this.directory, 'forward');
    const args = [binary('psh'), 'proxy', kind, 'bench', `--socket=${socket}`];
    const child = spawn(process.execPath, args, { cwd: cluster.directory, env: cluster.env, stdio: 'ignore' });
    this.resources.defer(async () => {
      const closed = once(child, 'close');
      child.kill('SIGINT');
      if (child.exitCode === null) await closed;
    });
    for (let tries = 0; tries < 200 && !existsSync(socket); tries++) await sleep(50);
    if (child.pid === undefined || !existsSync(socket)) throw new Error('psh proxy did not start');
    return { socket, pid: child.pid };
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.resources[Symbol.asyncDispose]();
  }
}
