import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { postgresClient } from '../../src/client.js';
import { postgres } from '../../src/protocol.js';
import { Authority } from './authority.js';
import { PostgresServer } from './postgres-server.js';
import { run, type Finished, type RunOptions } from './program.js';
import { Stand, type StandOptions } from './stand.js';

/** A database with users of every kind, and somebody's certificates: what tests with real programs begin with. */
export class Site implements AsyncDisposable {
  private constructor(
    readonly database: PostgresServer,
    readonly servers: Authority,
    readonly clients: Authority,
    /** A home directory for native clients. */
    readonly home: string,
  ) {}

  static async start(): Promise<Site> {
    const servers = new Authority('postern test db');
    const clients = new Authority('postern test db_client');
    const issued = servers.issue('database', ['DNS:localhost', 'IP:127.0.0.1']);
    const database = await PostgresServer.start({ tls: { ...issued, clientAuthority: clients.certificate }, hba });
    await database.sql(setup);
    return new Site(database, servers, clients, await mkdtemp(join(tmpdir(), 'postern-home-')));
  }

  /** A document's `spec` for the database. */
  spec(more: Readonly<Record<string, unknown>> = {}): Record<string, unknown> {
    return { host: '127.0.0.1', port: this.database.port, ...more };
  }

  /** The kernel's part, with alice, who may do everything, and bob, who may do nothing. */
  stand(options: Partial<StandOptions> = {}): Promise<Stand> {
    return Stand.start({
      spec: this.spec(),
      access: { alice: { users: ['*'], databases: ['*'], replication: true } },
      databaseClients: this.clients,
      databaseServers: this.servers,
      ...options,
    });
  }

  /** The files of a user's profile. */
  async files(stand: Stand, user: string): Promise<{ authority: string; certificate: string; key: string }> {
    const { certificate, key } = stand.authority.issue(user);
    const file = async (name: string, text: string): Promise<string> => {
      const path = join(this.home, `${stand.port}-${user}-${name}`);
      await writeFile(path, text, { mode: 0o600 });
      return path;
    };
    return {
      authority: await file('ca.crt', stand.authority.certificate),
      certificate: await file('user.crt', certificate),
      key: await file('user.key', key),
    };
  }

  /** libpq's settings for a stand. */
  async connection(stand: Stand, user: string, more: Readonly<Record<string, string>> = {}): Promise<string> {
    const files = await this.files(stand, user);
    const settings = {
      host: stand.hostname,
      hostaddr: '127.0.0.1',
      port: String(stand.port),
      sslmode: 'verify-full',
      sslrootcert: files.authority,
      sslcert: files.certificate,
      sslkey: files.key,
      gssencmode: 'disable',
      user: 'app',
      dbname: 'bench',
      ...more,
    };
    return Object.entries(settings)
      .map(([name, value]) => `${name}='${value.replace(/['\\]/g, '\\$&')}'`)
      .join(' ');
  }

  /** Runs a program as whoever has this home directory. */
  run(program: string, args: readonly string[], options: RunOptions = {}): Promise<Finished> {
    return run(program, args, { ...options, env: { HOME: this.home, ...options.env } });
  }

  /** psql without start-up file, for unaligned output. */
  async psql(
    stand: Stand,
    args: readonly string[],
    options: RunOptions & { as?: string; set?: Readonly<Record<string, string>> } = {},
  ): Promise<Finished> {
    const connection = await this.connection(stand, options.as ?? 'alice', options.set);
    return this.run('psql', ['-XAtq', connection, ...args], options);
  }

  /** psql by the service file that the client half writes. */
  async service(stand: Stand, user: string, args: readonly string[]): Promise<Finished> {
    const files = { ...(await this.files(stand, user)), identity: '', sshKey: '', sshCertificate: '', knownHosts: '' };
    const profile = { cluster: 'postern.test', user, home: this.home, directory: this.home, program: ['psh'], files };
    const target = {
      resource: {
        name: stand.resource,
        labels: {},
        spec: postgres.auth.resource.parse(this.spec({ database: 'bench' })),
      },
      hostname: stand.hostname,
      principals: ['app'],
    };
    const proxy = { host: '127.0.0.1', port: stand.port };
    const { additions } = postgresClient.configure({ ...profile, proxy, resolves: () => false }, [target]);
    const file = join(this.home, '.pg_service.conf');
    await writeFile(file, additions?.[0]?.sections?.map(({ text }) => text).join('') ?? '');
    return this.run('psql', ['-XAtq', `service=${stand.resource}`, ...args], { env: { PGSERVICEFILE: file } });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.database[Symbol.asyncDispose]();
    this.servers[Symbol.dispose]();
    this.clients[Symbol.dispose]();
    await rm(this.home, { recursive: true, force: true });
  }
}

const hba = [
  'hostssl all,replication app,owner all cert',
  'host all,replication scram all scram-sha-256',
  'host all md5 all md5',
  'host all clear all password',
  'host all,replication trusted all trust',
];

const setup = `
  create role owner login superuser;
  create role app login replication;
  create role scram login password 'pencil';
  set password_encryption = 'md5';
  create role md5 login password 'eraser';
  set password_encryption = 'scram-sha-256';
  create role clear login password 'ruler';
  create role trusted login;
  create role readonly;
  grant readonly to app;
  create database bench owner app;
`;
