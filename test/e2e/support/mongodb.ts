import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { MongoClient, type MongoClientOptions } from 'mongodb';
import { standardPlugins } from '../../../config/src/standard.js';
import { TestCluster } from '../../support/cluster.js';
import type { TestLogin } from '../../support/login.js';

/** Where a server listens in which `app` has the password `pencil`. */
export interface MongodbServer extends AsyncDisposable {
  readonly endpoint: { readonly host: string; readonly port: number };
}

const everything = { labels: { '*': '*' }, users: ['app'], databases: ['shop', 'admin'], commands: ['*'] };

/** A cluster with a server behind it, in which `app` has a password that the agent alone knows. */
export class MongodbSite implements AsyncDisposable {
  readonly #clients: MongoClient[] = [];

  private constructor(
    readonly cluster: TestCluster,
    private readonly server: MongodbServer,
    private readonly home: string,
  ) {}

  /** With more of the resource’s `spec`. `alice` may do everything, `rita` may read, `bob` may become somebody else, `eve` has other servers. */
  static async start(server: MongodbServer, spec: object = {}): Promise<MongodbSite> {
    const home = await mkdtemp(join(tmpdir(), 'postern-e2e-'));
    const secret = join(home, 'secret');
    await writeFile(secret, 'pencil\n', { mode: 0o600 });
    const cluster = await TestCluster.start({
      plugins: standardPlugins,
      configuration: { agent: { secrets: { pencil: { file: secret } } } },
      roles: [
        { name: 'admin', allow: { mongodb: everything } },
        { name: 'reader', allow: { mongodb: { ...everything, commands: ['@read'], databases: ['shop'] } } },
        { name: 'other', allow: { mongodb: { ...everything, users: ['somebody'] } } },
        { name: 'elsewhere', allow: { mongodb: { ...everything, labels: { env: 'none' } } } },
      ],
      resources: [
        {
          kind: 'mongodb',
          name: 'shop',
          spec: {
            ...server.endpoint,
            tls: { mode: 'disable' },
            auth: { method: 'scram-sha-256', secret: { app: 'pencil' } },
            ...spec,
          },
        },
      ],
      users: {
        alice: { roles: ['admin'] },
        rita: { roles: ['reader'] },
        bob: { roles: ['other'] },
        eve: { roles: ['elsewhere'] },
      },
    });
    return new MongodbSite(cluster, server, home);
  }

  /** The driver as a program would use it, for whom the name resolves. */
  client(login: TestLogin | undefined, options: MongoClientOptions & { user?: string } = {}): MongoClient {
    const { user = 'app', ...rest } = options;
    const host = `${this.cluster.hostname('mongodb', 'shop')}:${this.cluster.port}`;
    const uri = `mongodb://${user}@${host}/shop?authMechanism=MONGODB-X509&authSource=$external&directConnection=true`;
    const client = new MongoClient(uri, {
      tls: true,
      ca: this.cluster.authorities,
      ...(login && { cert: login.certificate, key: login.key }),
      lookup: (_name, { all }, done) =>
        all === true ? done(null, [{ address: '127.0.0.1', family: 4 }]) : done(null, '127.0.0.1', 4),
      serverSelectionTimeoutMS: 5000,
      ...rest,
    });
    this.#clients.push(client);
    return client;
  }

  /** Ends all drivers, with their connections. */
  async closeClients(): Promise<void> {
    await Promise.all(this.#clients.splice(0).map((client) => client.close()));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.closeClients();
    await this.cluster[Symbol.asyncDispose]();
    await this.server[Symbol.asyncDispose]();
    await rm(this.home, { recursive: true, force: true });
  }
}
