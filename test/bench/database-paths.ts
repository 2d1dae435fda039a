import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PostgresServer } from '../../plugins/postgres/test/support/postgres-server.js';
import { run } from '../../plugins/postgres/test/support/program.js';
import { CRelay } from './c-relay.js';
import type { Path } from './interleave.js';
import { Pooler } from './pooler.js';
import { Product } from './product.js';
import { Resources } from './resources.js';
import { selfSigned } from './self-signed.js';

export interface DatabasePath extends Path {
  /** For libpq. */
  readonly connection: string;
}

/** One database, and ways to it that all end the client's TLS. */
export class DatabasePaths implements AsyncDisposable {
  private constructor(
    readonly server: PostgresServer,
    readonly paths: readonly DatabasePath[],
    private readonly product: Product,
    private readonly resources: Resources,
  ) {}

  static async start(): Promise<DatabasePaths> {
    await using resources = new Resources();
    const directory = await mkdtemp(join(tmpdir(), 'postern-bench-'));
    resources.defer(() => rm(directory, { recursive: true, force: true }));
    const tls = await selfSigned(directory);
    const server = resources.use(
      await PostgresServer.start({
        tls,
        hba: ['host all trusted all trust'],
        settings: { max_connections: '250', shared_buffers: '128MB' },
      }),
    );
    await server.sql('create role trusted login; create database bench');
    const relay = resources.use(await CRelay.start(directory, server.port, `${tls.key}${tls.certificate}`, 'pgsql'));
    const pooler = resources.use(await Pooler.start({ port: server.port, user: 'trusted', database: 'bench' }, tls));
    const product = resources.use(await Product.start());
    // Without TLS or password behind the agent, as the C relay in its place reaches it.
    const spec = { host: '127.0.0.1', port: server.port, auth: { method: 'trust' }, tls: { mode: 'disable' } };
    await product.register('postgres', 'bench', spec);
    await product.logIn();
    const plain = 'host=127.0.0.1 user=trusted dbname=bench sslmode=require';
    const paths: readonly DatabasePath[] = [
      { name: 'direct TLS', connection: `${plain} port=${server.port}`, pids: [] },
      { name: 'Postern', connection: 'service=bench user=trusted dbname=bench', pids: product.pids },
      { name: 'stunnel + haproxy', connection: `${plain} port=${relay.port}`, pids: relay.pids },
      { name: 'pgbouncer', connection: `${plain} port=${pooler.port}`, pids: pooler.pids },
    ];
    return new DatabasePaths(server, paths, product, resources.move());
  }

  /** Fills the tables of pgbench, and lets everybody read them. */
  async fill(): Promise<void> {
    const { directory, port } = this.server;
    await this.program('pgbench', ['-iq', '-s10', `host=${directory} port=${port} user=postgres dbname=bench`]);
    await this.server.sql('grant select on all tables in schema public to public', 'bench');
  }

  get env(): Readonly<Record<string, string>> {
    return this.product.env;
  }

  /** Runs a client that must succeed, and resolves with what it printed. */
  async program(name: string, args: readonly string[], timeoutMs = 300_000): Promise<string> {
    const { status, stdout, stderr } = await run(name, args, { env: this.env, timeoutMs });
    if (status !== 0) throw new Error(`${name} ${args.join(' ')} ended with ${status}: ${stderr}`);
    return stdout;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.resources[Symbol.asyncDispose]();
  }
}
