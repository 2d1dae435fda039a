import { execFile } from 'node:child_process';
import { generateKeyPairSync } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import net from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { standardPlugins } from '../../../config/src/standard.js';
import { MariadbServer } from '../../../plugins/mysql/test/support/mariadb-server.js';
import { TestCluster } from '../../support/cluster.js';
import type { TestLogin } from '../../support/login.js';

const everything = { labels: { '*': '*' }, users: ['app', 'native', 'ed', 'other'], databases: ['bench', 'shop_*'] };

/** A cluster with a real server behind it, and local sockets as the user's program opens them. */
export class MysqlSite implements AsyncDisposable {
  readonly #forwards: net.Server[] = [];

  private constructor(
    readonly cluster: TestCluster,
    readonly server: MariadbServer,
    readonly home: string,
  ) {}

  /** `alice` may use `bench` and `shop_*`, `rob` may replicate too, `bob` may be `somebody`, `eve` nothing here. */
  static async start(): Promise<MysqlSite> {
    const home = await mkdtemp(join(tmpdir(), 'postern-e2e-'));
    const secret = join(home, 'secret');
    await writeFile(secret, 'pencil\n', { mode: 0o600 });
    const ports = [
      { listen: '127.0.0.1:0', kind: 'mysql', resource: 'shop' },
      { listen: '127.0.0.1:0', kind: 'mysql' },
    ];
    const cluster = await TestCluster.start({
      plugins: standardPlugins,
      configuration: {
        agent: { secrets: { pencil: { file: secret } } },
        proxy: { ports, trusted_proxies: [] },
      },
      roles: [
        { name: 'dba', allow: { mysql: everything } },
        { name: 'replicator', allow: { mysql: { ...everything, replication: true } } },
        { name: 'guest', allow: { mysql: { ...everything, users: ['somebody'] } } },
        { name: 'elsewhere', allow: { mysql: { ...everything, labels: { env: 'none' } } } },
      ],
      users: {
        alice: { roles: ['dba'] },
        rob: { roles: ['replicator'] },
        bob: { roles: ['guest'] },
        eve: { roles: ['elsewhere'] },
      },
    });
    try {
      const server = await startServer(cluster);
      const site = new MysqlSite(cluster, server, home);
      await site.register('shop');
      return site;
    } catch (cause) {
      await cluster[Symbol.asyncDispose]();
      throw cause;
    }
  }

  register(name: string, spec: Readonly<Record<string, unknown>> = {}): Promise<void> {
    const { host, port } = this.server;
    const tls = { server_name: `database.${this.cluster.cluster}` };
    return this.cluster.put({ kind: 'mysql', name, spec: { host, port, tls, ...spec } });
  }

  /** A local socket that leads to a resource, as `psh proxy` serves it. */
  async forward(login: TestLogin | undefined, resource = 'shop'): Promise<string> {
    const path = join(this.home, `socket-${this.#forwards.length}`);
    const server = net.createServer((local) => {
      local.on('error', () => {});
      const lead = async (): Promise<void> => {
        const remote = await this.cluster.connect('mysql', resource, login, { alpn: ['mysql'] });
        await Promise.all([pipeline(local, remote), pipeline(remote, local)]);
      };
      lead().catch(() => local.destroy());
    });
    await new Promise<void>((resolve) => server.listen(path, resolve));
    this.#forwards.push(server);
    return path;
  }

  /** Runs the stock client to its end. */
  async mariadb(args: readonly string[], input?: string): Promise<string> {
    return this.run('mariadb', ['--no-defaults', '-NB', ...args], input);
  }

  async run(program: string, args: readonly string[], input?: string): Promise<string> {
    return new Promise((resolve) => {
      const options = { timeout: 30_000, maxBuffer: 64 << 20, env: { ...process.env, HOME: this.home } };
      const child = execFile(program, args, options, (_, stdout, stderr) => resolve(stdout + stderr));
      child.stdin?.end(input);
    });
  }

  /** The port of `proxy.ports`. */
  port(which: number): number {
    return this.cluster.running.dedicatedPorts[which]?.address.port ?? 0;
  }

  /** Options for a client that connects to a port with the files of a login. */
  async tls(login: TestLogin): Promise<string[]> {
    const put = async (name: string, text: string): Promise<string> => {
      const file = join(this.home, name);
      await writeFile(file, text, { mode: 0o600 });
      return file;
    };
    return [
      `--ssl-ca=${await put('ca.crt', this.cluster.authorities)}`,
      `--ssl-cert=${await put('user.crt', login.certificate)}`,
      `--ssl-key=${await put('user.key', login.key)}`,
    ];
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const server of this.#forwards) server.close();
    await this.cluster[Symbol.asyncDispose]();
    await this.server[Symbol.asyncDispose]();
    await rm(this.home, { recursive: true, force: true });
  }
}

async function startServer(cluster: TestCluster): Promise<MariadbServer> {
  const { publicKey, privateKey } = generateKeyPairSync('ec', {
    namedCurve: 'P-256',
    publicKeyEncoding: { format: 'pem', type: 'spki' },
    privateKeyEncoding: { format: 'pem', type: 'pkcs8' },
  });
  const names = [`database.${cluster.cluster}`];
  const { certificate } = await cluster.running.state.issuer.issueServer({ names, publicKey, ca: 'db' });
  const clientAuthority = cluster.running.state.view.bundle('db_client').x509.join('');
  return MariadbServer.start({
    tls: { certificate, key: privateKey, clientAuthority },
    sql: `create database bench; create database shop_1; create database hidden;
      create user app require subject '/CN=app'; grant all on *.* to app;
      create user other require subject '/CN=other'; grant all on *.* to other;
      create user native identified via mysql_native_password using password('pencil'); grant all on *.* to native;
      create user ed identified via ed25519 using password('pencil'); grant all on *.* to ed;`,
  });
}
