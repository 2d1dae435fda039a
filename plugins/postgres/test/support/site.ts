import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Authority } from './authority.js';
import { PostgresServer, postgresPrograms } from './postgres-server.js';
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

  /** libpq's settings for a stand, with the files of a user's profile. */
  async connection(stand: Stand, user: string, more: Readonly<Record<string, string>> = {}): Promise<string> {
    const { certificate, key } = stand.authority.issue(user);
    const file = async (name: string, text: string): Promise<string> => {
      const path = join(this.home, `${stand.port}-${user}-${name}`);
      await writeFile(path, text, { mode: 0o600 });
      return path;
    };
    const settings = {
      host: stand.hostname,
      hostaddr: '127.0.0.1',
      port: String(stand.port),
      sslmode: 'verify-full',
      sslrootcert: await file('ca.crt', stand.authority.certificate),
      sslcert: await file('user.crt', certificate),
      sslkey: await file('user.key', key),
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

  async [Symbol.asyncDispose](): Promise<void> {
    await this.database[Symbol.asyncDispose]();
    this.servers[Symbol.dispose]();
    this.clients[Symbol.dispose]();
    await rm(this.home, { recursive: true, force: true });
  }
}

/** Says loudly that tests are not run because a program is missing. */
export function skipWithout(context: Mocha.Context, what: string, there: boolean): void {
  if (there) return;
  process.stderr.write(`SKIPPED: ${context.test?.parent?.fullTitle() ?? ''}: ${what} is missing\n`);
  context.skip();
}

export const hasPostgres = postgresPrograms !== undefined;

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
