import { generateKeyPairSync } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PostgresServer } from '../../../plugins/postgres/test/support/postgres-server.js';
import { run, type Finished, type RunOptions } from '../../../plugins/postgres/test/support/program.js';
import { standardPlugins } from '../../../config/src/standard.js';
import { TestCluster } from '../../support/cluster.js';
import type { TestLogin } from '../../support/login.js';

/** A cluster with the standard plugins, and a real database that trusts its authorities. */
export class DatabaseSite implements AsyncDisposable {
  #files = 0;

  private constructor(
    readonly cluster: TestCluster,
    readonly database: PostgresServer,
    readonly home: string,
  ) {}

  /** `alice` may become every user of every database; `bob` may become `nobody` alone. */
  static async start(): Promise<DatabaseSite> {
    const home = await mkdtemp(join(tmpdir(), 'postern-e2e-'));
    const secret = join(home, 'secret');
    await writeFile(secret, 'pencil\n', { mode: 0o600 });
    const cluster = await TestCluster.start({
      plugins: standardPlugins,
      configuration: { agent: { secrets: { pencil: { file: secret } } } },
      roles: [
        { name: 'dba', allow: { postgres: { labels: { '*': '*' }, users: ['*'], databases: ['*'] } } },
        { name: 'guest', allow: { postgres: { labels: { '*': '*' }, users: ['nobody'], databases: ['bench'] } } },
      ],
      users: { alice: { roles: ['dba'] }, bob: { roles: ['guest'] } },
    });
    try {
      const database = await startDatabase(cluster);
      const site = new DatabaseSite(cluster, database, home);
      await site.register('shop');
      return site;
    } catch (cause) {
      await cluster[Symbol.asyncDispose]();
      throw cause;
    }
  }

  /** Registers the database under a name, by one document. */
  register(name: string, spec: Readonly<Record<string, unknown>> = {}): Promise<void> {
    const { host, port } = this.database;
    return this.cluster.put({
      kind: 'postgres',
      name,
      spec: { host, port, tls: { server_name: serverName(this.cluster) }, ...spec },
    });
  }

  /** What libpq is told, with certificate files as `psh login` writes them. */
  async connection(
    login: Pick<TestLogin, 'certificate' | 'key'> | undefined,
    {
      resource = 'shop',
      port = this.cluster.port,
      authorities = this.cluster.authorities,
      ...more
    }: { resource?: string; port?: number; authorities?: string; user?: string; dbname?: string } = {},
  ): Promise<string> {
    const stem = join(this.home, String((this.#files += 1)));
    await writeFile(`${stem}.ca`, authorities);
    if (login) await writeFile(`${stem}.crt`, login.certificate);
    if (login) await writeFile(`${stem}.key`, login.key, { mode: 0o600 });
    const settings = {
      host: this.cluster.hostname('postgres', resource),
      hostaddr: '127.0.0.1',
      port: String(port),
      sslmode: 'verify-full',
      sslrootcert: `${stem}.ca`,
      ...(login && { sslcert: `${stem}.crt`, sslkey: `${stem}.key` }),
      user: 'app',
      dbname: 'bench',
      ...more,
    };
    return Object.entries(settings)
      .map(([key, value]) => `${key}='${value}'`)
      .join(' ');
  }

  /** Runs psql to its end. */
  async psql(
    login: Pick<TestLogin, 'certificate' | 'key'> | undefined,
    sql: string,
    options: Parameters<DatabaseSite['connection']>[1] & Pick<RunOptions, 'input'> = {},
  ): Promise<Finished> {
    const { input, ...to } = options;
    const args = ['-XAtq', '-v', 'ON_ERROR_STOP=1', await this.connection(login, to), '-c', sql];
    return run('psql', args, { env: { HOME: this.home }, timeoutMs: 15_000, ...(input !== undefined && { input }) });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.cluster[Symbol.asyncDispose]();
    await this.database[Symbol.asyncDispose]();
    await rm(this.home, { recursive: true, force: true });
  }
}

const serverName = ({ cluster }: TestCluster): string => `database.${cluster}`;

async function startDatabase(cluster: TestCluster): Promise<PostgresServer> {
  const { publicKey, privateKey } = generateKeyPairSync('ec', {
    namedCurve: 'P-256',
    publicKeyEncoding: { format: 'pem', type: 'spki' },
    privateKeyEncoding: { format: 'pem', type: 'pkcs8' },
  });
  const { certificate } = await cluster.running.state.issuer.issueServer({
    names: [serverName(cluster)],
    publicKey,
    ca: 'db',
  });
  const clientAuthority = cluster.running.state.view.bundle('db_client').x509.join('');
  const database = await PostgresServer.start({
    tls: { certificate, key: privateKey, clientAuthority },
    hba: ['hostssl all app all cert', 'host all scram all scram-sha-256', 'host all trusted all trust'],
  });
  await database.sql(
    `create role app login; create role scram login password 'pencil'; create role trusted login; create database bench owner app;`,
  );
  return database;
}
