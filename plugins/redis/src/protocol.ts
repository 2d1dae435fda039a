import { defineProtocol, event, field, hostName, matchesAny, secretName, upstreamTls } from '@postern/plugin-sdk';
import { z } from 'zod';

/**
 * What a command can do, from the least to the most powerful. The names follow
 * the categories of Redis' own access control where it has one.
 */
export const commandClasses = {
  connection: 'Manages the connection itself, such as PING, SELECT and CLIENT SETNAME.',
  read: 'Reads keys and their values.',
  write: 'Changes keys, or reads and changes them at once.',
  pubsub: 'Publishes and subscribes to channels.',
  transaction: 'Groups commands, each of which is authorized by itself.',
  script: 'Runs code in the server, which can run any command that the server lets this user run.',
  admin: 'Looks at or changes the server and the connections of others.',
  other: 'A command that is not known here, for example of a module.',
  monitor: 'Shows the commands of everybody. Needs a right of its own.',
  replicate: 'Copies everything that the server has. Needs a right of its own.',
} as const;

export type CommandClass = keyof typeof commandClasses;

/** What Redis takes for the name of a user: no spaces and no NUL (ACL SETUSER). */
const name = z
  .string()
  .min(1)
  .max(256)
  .regex(/^[^\s\0]+$/, 'names of users have no spaces');

const auth = z
  .strictObject({
    method: z.enum(['password', 'certificate', 'none']).default('password'),
    secret: z
      .union([secretName, z.record(name, secretName)])
      .optional()
      .describe('The password: one for all users, or by user.'),
  })
  .prefault({});

const resource = z
  .strictObject({
    host: hostName.describe('DNS name or address, as seen by the agent.'),
    port: z.int().min(1).max(65_535).default(6379),
    user: name.default('default').describe('Whom clients become that name nobody.'),
    tls: upstreamTls,
    auth,
  })
  .refine(({ auth: { method, secret } }) => method !== 'password' || secret !== undefined, {
    path: ['auth', 'secret'],
    error: 'a password needs a `secret`',
  })
  .refine(({ auth: { method }, tls: { mode } }) => method !== 'certificate' || mode !== 'disable', {
    path: ['tls', 'mode'],
    error: 'a client certificate needs TLS',
  });

const className = z.enum(Object.keys(commandClasses) as [keyof typeof commandClasses]);

const ask = z.strictObject({
  user: name,
  /** In lower case, with its subcommand where it has them: `get`, `client|kill`. Absent at the opening. */
  command: z.string().max(300).optional(),
  class: className.optional(),
});

const pattern = z.string().min(1).max(128);
const access = z.strictObject({
  users: z.array(pattern).default([]).describe('Users of the server’s access control; `*` stands for any characters.'),
  commands: z
    .array(pattern)
    .default([])
    .describe(
      'Commands in lower case, such as `get` or `client|kill`, or classes, such as `@read`; `*` stands for any characters.',
    ),
  rights: z
    .array(z.enum(['monitor', 'replicate']))
    .default([])
    .describe('What no pattern of `commands` allows, since it shows the data of everybody.'),
});

export type RedisSpec = z.output<typeof resource>;
export type RedisAsk = z.output<typeof ask>;
export type RedisAccess = z.output<typeof access>;

const rightOf = (wanted: RedisAsk): 'monitor' | 'replicate' | undefined =>
  wanted.class === 'monitor' || wanted.class === 'replicate' ? wanted.class : undefined;

const names = (commands: readonly string[], { command, class: kind }: RedisAsk): boolean =>
  (command !== undefined && matchesAny(commands, command)) || (kind !== undefined && matchesAny(commands, `@${kind}`));

function permits(allowed: RedisAccess, wanted: RedisAsk): boolean {
  if (!matchesAny(allowed.users, wanted.user)) return false;
  const right = rightOf(wanted);
  if (right !== undefined) return allowed.rights.includes(right);
  return wanted.command === undefined || names(allowed.commands, wanted);
}

function forbids(denied: RedisAccess, wanted: RedisAsk): boolean {
  const right = rightOf(wanted);
  if (matchesAny(denied.users, wanted.user) || names(denied.commands, wanted)) return true;
  return right !== undefined && denied.rights.includes(right);
}

export const redis = defineProtocol({
  id: 'redis',
  title: 'Redis',
  posture: 'hostile-client-and-upstream',
  transport: { kind: 'tls', alpn: ['redis'], forward: 'socket' },
  config: z.strictObject({
    max_argument_bytes: z
      .int()
      .min(64)
      .max(65_536)
      .default(1024)
      .describe('How much of a command’s arguments together an audit event shows.'),
    login_timeout_seconds: z.int().min(1).max(120).default(10).describe('How long a server may take to log in.'),
  }),
  auth: {
    resource,
    endpoints: ({ host, port }) => [{ host, port }],
    ask,
    access,
    permits,
    forbids,
    preset: { users: ['{{internal.db_users}}'], commands: ['*'] },
    principals: ({ users }) => users,
  },
  statements: { classes: commandClasses },
  audit: {
    login: event('The agent logged in at the server for this session.', {
      user: field.public(z.string()),
      method: field.public(z.enum(['password', 'certificate', 'none'])),
      tls: field.public(z.string().describe('TLS version towards the server, or `none`.')),
    }),
    command: event('A command was sent to the server.', {
      sequence: field.public(z.int().describe('Counts the commands of a session.')),
      command: field.public(z.string().describe('In lower case, with its subcommand.')),
      class: field.public(className),
      arguments: field.sensitive(
        z.array(z.string()).describe('As text, bytes that are none replaced; secrets masked.'),
      ),
      argumentCount: field.public(z.int()),
      bytes: field.public(z.number().describe('Length of the whole command as it was sent.')),
      truncated: field.public(z.boolean().optional().describe('True where not all arguments are shown whole.')),
    }),
  },
  recordings: { commands: { title: 'Commands', format: 'lines' } },
});

export type Redis = typeof redis;
