import { defineProtocol, event, field, hostName, matchesAny, secretName, upstreamTls } from '@postern/plugin-sdk';
import { z } from 'zod';

const noNul = (text: string): boolean => !text.includes('\0');
/** MySQL has 32 characters for users, MariaDB 128; schemas have 64. */
const userName = z.string().min(1).max(128).refine(noNul, 'names have no NUL');
const databaseName = z.string().min(1).max(64).refine(noNul, 'names have no NUL');

const auth = z
  .strictObject({
    method: z
      .enum(['certificate', 'password', 'none'])
      .default('certificate')
      .describe(
        '`certificate`: of the cluster’s `db_client` authority, with the user as its name. `none`: without a password.',
      ),
    secret: z
      .union([secretName, z.record(userName, secretName)])
      .optional()
      .describe('The password: one for all users, or by user.'),
  })
  .prefault({});

const resource = z
  .strictObject({
    host: hostName.describe('DNS name or address, as seen by the agent.'),
    port: z.int().min(1).max(65_535).default(3306),
    database: databaseName.optional().describe('What `psh db connect` opens unless it is told otherwise.'),
    tls: upstreamTls,
    auth,
    local_files: z
      .boolean()
      .default(true)
      .describe('LOAD DATA LOCAL INFILE, by which a client sends a file of its own.'),
  })
  .refine(({ auth: { method, secret } }) => method !== 'password' || secret !== undefined, {
    path: ['auth', 'secret'],
    error: 'a password needs a `secret`',
  })
  .refine(({ auth: { method }, tls: { mode } }) => method !== 'certificate' || mode !== 'disable', {
    path: ['tls', 'mode'],
    error: 'a client certificate needs TLS',
  });

const ask = z.strictObject({
  user: userName,
  /** Absent where a client has chosen none yet. */
  database: databaseName.optional(),
  replication: z.boolean().default(false),
});

const pattern = z.string().min(1).max(128);
const access = z.strictObject({
  users: z.array(pattern).default([]).describe('Database users; `*` stands for any characters.'),
  databases: z.array(pattern).default([]).describe('Schemas that sessions may open; `*` stands for any characters.'),
  replication: z.boolean().default(false).describe('Binary logs and dumps of tables: all that the server has.'),
});

export type MysqlSpec = z.output<typeof resource>;
export type MysqlAsk = z.output<typeof ask>;
export type MysqlAccess = z.output<typeof access>;

const permits = (allowed: MysqlAccess, { user, database, replication }: MysqlAsk): boolean =>
  matchesAny(allowed.users, user) &&
  (database === undefined ? allowed.databases.length > 0 : matchesAny(allowed.databases, database)) &&
  (allowed.replication || !replication);

const forbids = (denied: MysqlAccess, { user, database, replication }: MysqlAsk): boolean =>
  matchesAny(denied.users, user) ||
  (database !== undefined && matchesAny(denied.databases, database)) ||
  (denied.replication && replication);

const sequence = field.public(z.int().describe('Counts the commands of a session; a result has that of its command.'));
const text = {
  statement: field.sensitive(z.string().optional().describe('The text, up to `max_statement_bytes`.')),
  statementBytes: field.public(z.number().optional().describe('Length of the whole command.')),
};
const truncated = field.public(z.boolean().optional().describe('True where the event does not show everything.'));

export const mysql = defineProtocol({
  id: 'mysql',
  title: 'MySQL and MariaDB databases',
  posture: 'hostile-client-and-upstream',
  transport: { kind: 'tls', alpn: ['mysql'], forward: 'socket' },
  config: z.strictObject({
    max_statement_bytes: z
      .int()
      .min(1024)
      .max(262_144)
      .default(65_536)
      .describe('How much of a statement, and of its parameters together, an audit event shows.'),
    login_timeout_seconds: z.int().min(1).max(120).default(20).describe('How long a database may take to log in.'),
    server_version: z
      .string()
      .max(64)
      .default('5.5.5-10.11.0-MariaDB')
      .describe('What clients are told on ports of their own, before it is known who they are.'),
  }),
  auth: {
    resource,
    endpoints: ({ host, port }) => [{ host, port }],
    ask,
    access,
    permits,
    forbids,
    preset: { users: ['{{internal.db_users}}'], databases: ['{{internal.db_names}}'] },
    principals: ({ users }) => users,
  },
  audit: {
    login: event('The agent logged in at the database for this session.', {
      user: field.public(z.string()),
      database: field.public(z.string().optional()),
      method: field.public(
        z.string().describe('How the server says it was: `mysql_native_password`, `client_ed25519`, …'),
      ),
      tls: field.public(z.string().describe('TLS version towards the database, or `none`.')),
      serverVersion: field.public(z.string()),
    }),
    query: event('A statement was sent to the database to be run.', { sequence, ...text, truncated }),
    prepare: event('A statement was sent to be prepared.', { sequence, ...text, truncated }),
    execute: event('A prepared statement was run.', {
      sequence,
      ...text,
      parameters: field.sensitive(z.array(z.string().nullable()).optional().describe('In their order, as text.')),
      bulk: field.public(z.boolean().optional().describe('True where it ran for many rows of parameters at once.')),
      truncated,
    }),
    command: event('A command other than a statement was sent to the database.', {
      sequence,
      command: field.public(z.string()),
      argument: field.sensitive(z.string().optional().describe('The schema, of commands that name one.')),
    }),
    file: event('The database asked the client for a file, and the client sends it.', {
      sequence,
      name: field.sensitive(z.string().describe('As the statement has it.')),
    }),
    result: event('The database answered a command.', {
      sequence,
      outcome: field.public(z.enum(['completed', 'failed', 'unanswered'])),
      part: field.public(
        z.int().optional().describe('Counts the results of one command, from 1, where there are several.'),
      ),
      rows: field.public(z.number().optional()),
      affectedRows: field.public(z.number().optional()),
      error: field.public(z.int().optional().describe('The number of the error.')),
      state: field.public(z.string().optional().describe('SQLSTATE.')),
      message: field.sensitive(z.string().optional().describe('The words of the database.')),
      durationMs: field.public(z.number().optional()),
    }),
  },
  recordings: { queries: { title: 'Statements and results', format: 'lines' } },
});

export type Mysql = typeof mysql;
