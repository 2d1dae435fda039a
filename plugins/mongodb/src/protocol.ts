import { defineProtocol, event, field, hostName, matchesAny, secretName, upstreamTls } from '@postern/plugin-sdk';
import { z } from 'zod';

/** What a command can do, from the least to the most powerful. */
const commandClasses = {
  connection: 'Manages the connection and its transactions, such as ping and commitTransaction.',
  read: 'Reads documents, or what a database has in it.',
  write: 'Changes documents.',
  execute: 'Runs JavaScript in the server, as mapReduce and $where do.',
  define: 'Creates, changes and drops collections, views and indexes.',
  administer: 'Looks at or changes the server, its users and roles. Whatever is not known here is of this class.',
} as const;

export type CommandClass = keyof typeof commandClasses;

/** By class, in the spelling of servers, which tell upper from lower case. */
const listed: Readonly<Partial<Record<CommandClass, string>>> = {
  connection:
    'hello isMaster ismaster ping buildInfo buildinfo connectionStatus whatsmyuri listCommands startSession refreshSessions endSessions commitTransaction abortTransaction getLastError getlasterror atlasVersion',
  read: 'find aggregate count distinct getMore killCursors listCollections listIndexes listDatabases dbStats dbstats collStats collstats explain',
  write: 'insert update delete findAndModify findandmodify bulkWrite',
  execute: 'mapReduce mapreduce',
  define:
    'create createIndexes drop dropDatabase dropIndexes deleteIndexes collMod renameCollection convertToCapped reIndex compact createSearchIndexes updateSearchIndex dropSearchIndex cloneCollectionAsCapped',
};

const classes: ReadonlyMap<string, CommandClass> = new Map(
  Object.entries(listed).flatMap(([name, words]) => words.split(' ').map((word) => [word, name as CommandClass])),
);

/** What some commands do by their nature beside what their class says. */
const further: ReadonlyMap<string, CommandClass> = new Map([
  ['findAndModify', 'read'],
  ['mapReduce', 'read'],
]);

/** Old names, which servers still take, by the names that are documented. */
const oldNames: ReadonlyMap<string, string> = new Map([
  ['findAndModify', 'findandmodify'],
  ['mapReduce', 'mapreduce'],
  ['dropIndexes', 'deleteIndexes'],
  ['dbStats', 'dbstats'],
  ['collStats', 'collstats'],
  ['buildInfo', 'buildinfo'],
  ['isMaster', 'ismaster'],
  ['getLastError', 'getlasterror'],
]);
const newNames: ReadonlyMap<string, string> = new Map([...oldNames].map(([name, old]) => [old, name]));

/** Of a command. One that nobody knows may do anything. */
export const classOf = (command: string): CommandClass => classes.get(command) ?? 'administer';

/** True where it is known what a command does and what it names. */
export const isListed = (command: string): boolean => classes.has(command);

/** Every class that a command is of, whatever it says: its own first. */
export function classesOf(command: string): readonly CommandClass[] {
  const more = further.get(newNames.get(command) ?? command);
  return more ? [classOf(command), more] : [classOf(command)];
}

/** What a command does under another name than its own, so that whoever is denied that does not get there by this. */
const contained: ReadonlyMap<string, readonly string[]> = new Map([['bulkWrite', ['insert', 'update', 'delete']]]);

/** A command's name in every spelling by which servers know it. */
function spellingsOf(command: string): readonly string[] {
  const name = newNames.get(command) ?? command;
  const old = oldNames.get(name);
  return old === undefined ? [name] : [name, old];
}

const noNul = (text: string): boolean => !text.includes('\0');
const userName = z.string().min(1).max(256).refine(noNul, 'names have no NUL');
const databaseName = z
  .string()
  .min(1)
  .max(64)
  .regex(/^[^\s/\\."\0\ufffd]+$/, 'this is not the name of a database');
const collectionName = z
  .string()
  .min(1)
  .max(255)
  .regex(/^[^\0\ufffd]+$/, 'this is not the name of a collection');

const port = z.int().min(1).max(65_535).default(27_017);

const auth = z
  .strictObject({
    method: z
      .enum(['certificate', 'scram-sha-256', 'scram-sha-1', 'none'])
      .default('certificate')
      .describe('`certificate`: MONGODB-X509, of the cluster’s `db_client` authority, with the user as its name.'),
    secret: z
      .union([secretName, z.record(userName, secretName)])
      .optional()
      .describe('The password: one for all users, or by user.'),
    source: databaseName.default('admin').describe('The database in which the users of `scram` are kept.'),
  })
  .prefault({});

const resource = z
  .strictObject({
    host: hostName.describe('DNS name or address, as seen by the agent.'),
    port,
    members: z
      .array(z.strictObject({ host: hostName, port }))
      .max(50)
      .default([])
      .describe('The other members of a replica set. Sessions go to whichever is the primary.'),
    user: userName.optional().describe('Whom clients become that name nobody.'),
    database: databaseName.optional().describe('What `psh db connect` opens unless it is told otherwise.'),
    tls: upstreamTls,
    auth,
  })
  .refine(({ auth: { method, secret } }) => !method.startsWith('scram') || secret !== undefined, {
    path: ['auth', 'secret'],
    error: 'a password needs a `secret`',
  })
  .refine(({ auth: { method }, tls: { mode } }) => method !== 'certificate' || mode !== 'disable', {
    path: ['tls', 'mode'],
    error: 'a client certificate needs TLS',
  });

const className = z.enum(Object.keys(commandClasses) as [CommandClass]);

const ask = z.strictObject({
  /** Absent where a connection only wants to know what is there, as those do by which drivers watch a server. */
  user: userName.optional(),
  command: z.string().max(128).optional(),
  class: className.optional(),
  database: databaseName.optional(),
  collection: collectionName.optional(),
});

const pattern = z.string().min(1).max(384);
const access = z.strictObject({
  users: z.array(pattern).default([]).describe('Database users; `*` stands for any characters.'),
  databases: z.array(pattern).default([]).describe('Databases with all that is in them.'),
  collections: z
    .array(pattern)
    .default([])
    .describe('Single collections, as `database.collection`, of databases that are not among `databases`.'),
  commands: z
    .array(pattern)
    .default([])
    .describe(
      'Commands, such as `find`, or classes, such as `@read`; `*` stands for any characters. A command that is named ' +
        'may do what it does by nature: `aggregate` reads, and writes with `$out` only where `@write` is there too.',
    ),
});

export type MongodbSpec = z.output<typeof resource>;
export type MongodbAsk = z.output<typeof ask>;
export type MongodbAccess = z.output<typeof access>;

const namesClass = (commands: readonly string[], { class: kind }: MongodbAsk): boolean =>
  kind !== undefined && matchesAny(commands, `@${kind}`);

const namesCommand = (commands: readonly string[], { command }: MongodbAsk): boolean =>
  command !== undefined && spellingsOf(command).some((spelling) => matchesAny(commands, spelling));

const containsDenied = (commands: readonly string[], { command = '' }: MongodbAsk): boolean =>
  contained.get(command)?.some((name) => matchesAny(commands, name)) ?? false;

/** Whoever may use a command by its name may not do with it what it does not do by nature, such as writing by `aggregate`. */
const isNatural = ({ command, class: kind }: MongodbAsk): boolean =>
  kind === undefined || (command !== undefined && classesOf(command).includes(kind));

const namesPlace = ({ databases, collections }: MongodbAccess, { database, collection }: MongodbAsk): boolean =>
  database !== undefined &&
  (matchesAny(databases, database) ||
    (collection !== undefined && matchesAny(collections, `${database}.${collection}`)));

function permits(allowed: MongodbAccess, wanted: MongodbAsk): boolean {
  const { user, command, class: kind, database } = wanted;
  if (user === undefined ? allowed.users.length === 0 : !matchesAny(allowed.users, user)) return false;
  if (command === undefined && database === undefined) return true;
  // Nobody gets anywhere by these, and no client gets anywhere without them.
  if (kind === 'connection') return true;
  const named = namesClass(allowed.commands, wanted) || (namesCommand(allowed.commands, wanted) && isNatural(wanted));
  return named && namesPlace(allowed, wanted);
}

const forbids = (denied: MongodbAccess, wanted: MongodbAsk): boolean =>
  (wanted.user !== undefined && matchesAny(denied.users, wanted.user)) ||
  namesClass(denied.commands, wanted) ||
  namesCommand(denied.commands, wanted) ||
  containsDenied(denied.commands, wanted) ||
  namesPlace(denied, wanted);

const sequence = field.public(
  z.int().describe('Counts the commands of a connection; a result has that of its command.'),
);

export const mongodb = defineProtocol({
  id: 'mongodb',
  title: 'MongoDB databases',
  posture: 'hostile-client-and-upstream',
  transport: { kind: 'tls', alpn: ['mongodb'], forward: 'port' },
  config: z.strictObject({
    max_statement_bytes: z
      .int()
      .min(64)
      .max(65_536)
      .default(4096)
      .describe('How much of a command an audit event shows, as text.'),
    max_message_bytes: z
      .int()
      .min(65_536)
      .max(48_000_000)
      .default(48_000_000)
      .describe('The largest message that clients may send. A session holds one at a time; drivers are told.'),
    login_timeout_seconds: z.int().min(1).max(120).default(20).describe('How long a server may take to log in.'),
    max_cursors: z
      .int()
      .min(1)
      .max(100_000)
      .default(1000)
      .describe('How many open cursors of a session are remembered; the one that was read longest ago is forgotten.'),
  }),
  auth: {
    resource,
    endpoints: ({ host, port: main, members }) => [{ host, port: main }, ...members],
    ask,
    access,
    permits,
    forbids,
    preset: { users: ['{{internal.db_users}}'], databases: ['{{internal.db_names}}'], commands: ['*'] },
    principals: ({ users }) => users,
  },
  // Drivers keep a pool of connections, and some more by which they watch the server.
  session: { per: 'certificate', idleSeconds: 60 },
  statements: {
    classes: commandClasses,
    objects: {
      database: 'A database, with all that is in it.',
      collection: 'A collection or a view, as `database.collection`.',
    },
  },
  audit: {
    login: event('The agent logged in at the server for this session.', {
      user: field.public(z.string()),
      method: field.public(z.enum(['certificate', 'scram-sha-256', 'scram-sha-1', 'none'])),
      tls: field.public(z.string().describe('TLS version towards the server, or `none`.')),
    }),
    command: event('A command was sent to the server.', {
      sequence,
      command: field.public(z.string()),
      class: field.public(className),
      database: field.public(z.string()),
      collection: field.public(z.string().optional()),
      others: field.public(
        z.array(z.string()).optional().describe('Further collections that it touches, as `database.collection`.'),
      ),
      statement: field.sensitive(
        z.string().optional().describe('The command as text, up to `max_statement_bytes`; secrets are masked.'),
      ),
      documents: field.public(z.int().optional().describe('How many documents or operations it carries.')),
      bytes: field.public(z.number().describe('Length of the whole message.')),
      truncated: field.public(z.boolean().optional().describe('True where the event does not show everything.')),
    }),
    result: event('The server answered a command.', {
      sequence,
      outcome: field.public(z.enum(['completed', 'failed', 'unanswered'])),
      documents: field.public(z.int().optional().describe('How many documents came with it.')),
      affected: field.public(
        z.number().optional().describe('How many documents the server says it counted or changed.'),
      ),
      rejected: field.public(
        z.int().optional().describe('How many documents or operations of it the server rejected.'),
      ),
      error: field.public(z.int().optional().describe('The code of the error.')),
      message: field.sensitive(z.string().optional().describe('The words of the server.')),
      durationMs: field.public(z.number().optional()),
    }),
  },
  recordings: { commands: { title: 'Commands and results', format: 'lines', shared: true } },
});

export type Mongodb = typeof mongodb;
