import { defineProtocol, event, field, hostName, matchesAny, secretName, upstreamTls } from '@postern/plugin-sdk';
import { z } from 'zod';

/** PostgreSQL cuts longer names off, so that two names could mean one thing: they are refused instead. */
const maxNameBytes = 63;

const isName = (text: string): boolean => !text.includes('\0') && Buffer.byteLength(text) <= maxNameBytes;
const name = z.string().min(1).refine(isName, `names have at most ${maxNameBytes} bytes`);

const login = z
  .strictObject({
    method: z
      .enum(['certificate', 'password', 'trust'])
      .default('certificate')
      .describe(
        '`certificate`: from the `db_client` CA, named after the database user. `trust`: the server asks for nothing.',
      ),
    secret: z
      .union([secretName, z.record(name, secretName)])
      .optional()
      .describe('The password: the name of an entry of the `secrets` of the agent, for all users or by user.'),
    accept: z
      .array(z.enum(['scram-sha-256', 'md5', 'cleartext']))
      .min(1)
      .default(['scram-sha-256'])
      .describe('What the server may ask the password for. A server that asks for less is not answered.'),
  })
  .prefault({});

const resource = z
  .strictObject({
    host: hostName.describe('DNS name or address, as seen by the agent.'),
    port: z.int().min(1).max(65_535).default(5432),
    database: name.optional().describe('What clients connect to unless they name another.'),
    tls: upstreamTls,
    auth: login,
  })
  .refine(({ auth }) => auth.method !== 'password' || auth.secret !== undefined, {
    path: ['auth', 'secret'],
    error: 'a password needs a `secret`',
  })
  .refine(({ auth, tls: { mode } }) => auth.method !== 'certificate' || mode !== 'disable', {
    path: ['tls', 'mode'],
    error: 'a client certificate needs TLS',
  })
  .refine(({ auth, tls: { mode } }) => !auth.accept.includes('cleartext') || mode.startsWith('verify'), {
    path: ['auth', 'accept'],
    error: 'a password in clear text needs TLS with a verified certificate',
  });

const ask = z.strictObject({ user: name, database: name, replication: z.boolean().default(false) });

const pattern = z.string().min(1).max(128);
const access = z.strictObject({
  users: z.array(pattern).default([]).describe('Database users; `*` stands for any characters.'),
  databases: z.array(pattern).default([]).describe('Databases; `*` stands for any characters.'),
  replication: z
    .boolean()
    .default(false)
    .describe('Replication connections. They read all that the server has, and no statement of theirs says what.'),
});

export type PostgresSpec = z.output<typeof resource>;
export type PostgresAsk = z.output<typeof ask>;
export type PostgresAccess = z.output<typeof access>;

const permits = (allowed: PostgresAccess, wanted: PostgresAsk): boolean =>
  matchesAny(allowed.users, wanted.user) &&
  matchesAny(allowed.databases, wanted.database) &&
  (allowed.replication || !wanted.replication);

const forbids = (denied: PostgresAccess, wanted: PostgresAsk): boolean =>
  matchesAny(denied.users, wanted.user) ||
  matchesAny(denied.databases, wanted.database) ||
  (denied.replication && wanted.replication);

const sequence = field.public(
  z.int().describe('Counts the statements of a session; a result has that of its statement.'),
);
const text = {
  statement: field.sensitive(z.string().optional().describe('The text, up to `max_statement_bytes`.')),
  statementBytes: field.public(z.int().optional().describe('Length of the whole text.')),
  statementSha256: field.sensitive(z.string().optional().describe('Of the whole text, where it is longer than shown.')),
};
const encoding = field.public(
  z
    .string()
    .optional()
    .describe(
      "The client's encoding, where it is not UTF-8; `bytes` where the text is none in it: each character is a byte.",
    ),
);
const values = {
  parameters: field.sensitive(
    z
      .array(z.string().nullable())
      .optional()
      .describe('In order; those that `binary` names as hexadecimal digits after `\\x`.'),
  ),
  binary: field.public(
    z
      .array(z.int())
      .optional()
      .describe("Positions, from 1, of parameters that were sent in binary, or are no text in the client's encoding."),
  ),
  parameterCount: field.public(z.int().optional().describe('How many there are, shown or not.')),
  parameterBytes: field.public(z.int().optional().describe('Length of the whole message that carried them.')),
  parametersSha256: field.sensitive(z.string().optional().describe('Of that message, where not all is shown.')),
};
const truncated = field.public(
  z.boolean().optional().describe('True where the event does not show everything; the recording does.'),
);
const problem = {
  severity: field.public(z.string().optional()),
  sqlstate: field.public(z.string().optional()),
  message: field.sensitive(z.string().optional().describe('The words of the database.')),
};

export const postgres = defineProtocol({
  id: 'postgres',
  title: 'PostgreSQL databases',
  posture: 'hostile-client-and-upstream',
  transport: { kind: 'tls', alpn: ['postgresql'] },
  config: z.strictObject({
    max_statement_bytes: z
      .int()
      .min(1024)
      .max(262_144)
      .default(65_536)
      .describe('How much of a statement, and of its parameters together, an audit event shows.'),
    max_parameter_bytes: z
      .int()
      .min(64)
      .max(65_536)
      .default(4096)
      .describe('How much of one parameter an audit event shows.'),
    abandoned_statement_seconds: z
      .int()
      .min(0)
      .max(3600)
      .default(1)
      .describe(
        'How soon a statement stops whose session was cut or whose client has gone, on PostgreSQL 14 and later; 0 lets it run.',
      ),
    login_timeout_seconds: z.int().min(1).max(120).default(20).describe('How long a database may take to log in.'),
  }),
  auth: {
    resource,
    endpoints: ({ host, port }) => [{ host, port }],
    ask,
    access,
    permits,
    forbids,
    preset: { users: ['{{internal.db_users}}'], databases: ['{{internal.db_names}}'] },
    principals: (allowed) => allowed.users,
  },
  audit: {
    login: event('The agent logged in at the database for this session.', {
      user: field.public(z.string()),
      database: field.public(z.string()),
      replication: field.public(z.boolean()),
      method: field.public(
        z
          .string()
          .describe('How: `certificate`, `scram-sha-256`, `scram-sha-256-plus`, `md5`, `cleartext` or `trust`.'),
      ),
      tls: field.public(z.string().describe('TLS version towards the database, or `none`.')),
      serverVersion: field.public(z.string().optional()),
      settings: field.sensitive(z.record(z.string(), z.string()).describe('What else the client set at the start.')),
    }),
    prepare: event('A statement was prepared under a name, or without being run at once.', {
      sequence,
      name: field.sensitive(z.string()),
      ...text,
      encoding,
      truncated,
    }),
    query: event('A statement was sent to the database to be run.', {
      sequence,
      protocol: field.public(z.enum(['simple', 'extended'])),
      name: field.sensitive(z.string().optional().describe('Of the prepared statement.')),
      portal: field.sensitive(z.string().optional().describe('Of a cursor that SQL declared and the protocol reads.')),
      ...text,
      alternatives: field.sensitive(
        z
          .array(z.string())
          .optional()
          .describe('Other texts that the name may have: it was redefined in the same breath.'),
      ),
      doubtful: field.public(z.boolean().optional().describe('True where SQL dropped or prepared names since.')),
      ...values,
      encoding,
      truncated,
    }),
    call: event('A function of the server was called by its number.', {
      sequence,
      function: field.public(z.int()),
      ...values,
      encoding,
      truncated,
    }),
    result: event('The database answered a statement.', {
      sequence,
      outcome: field.public(z.enum(['completed', 'suspended', 'empty', 'failed', 'skipped', 'unanswered'])),
      command: field.public(z.string().optional().describe('The command tag, such as `INSERT`.')),
      rows: field.public(z.number().optional()),
      part: field.public(z.int().optional().describe('Counts the statements of one simple query, from 1.')),
      ...problem,
      copy: field.public(z.enum(['in', 'out', 'both']).optional()),
      copyBytes: field.public(z.number().optional()),
      durationMs: field.public(z.number().optional()),
    }),
    failure: event('The database reported an error that belongs to no statement.', problem),
    cancel: event('A request to cancel what runs was passed on to the database.', {
      via: field.public(z.enum(['plain', 'tls'])),
    }),
  },
  recordings: { queries: { title: 'Statements and results', format: 'lines' } },
});

export type Postgres = typeof postgres;
