import type { CommandClass } from './protocol.js';

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

/** Commands that say in which collection they work by their own value. */
const ofCollections = new Set(
  'find aggregate count distinct listIndexes collStats collstats mapReduce mapreduce insert update delete findAndModify findandmodify killCursors create createIndexes drop dropIndexes deleteIndexes collMod convertToCapped reIndex compact createSearchIndexes updateSearchIndex dropSearchIndex cloneCollectionAsCapped validate analyze planCacheClear planCacheClearFilters planCacheListFilters planCacheListPlans planCacheListQueryShapes planCacheSetFilter setIndexCommitQuorum'.split(
    ' ',
  ),
);

/** Fields and commands in which there are secrets. */
const secretive = new Set(
  'authenticate saslstart saslcontinue createuser updateuser copydbsaslstart copydbgetnonce getnonce setparameter'.split(
    ' ',
  ),
);

/** Of a command. One that nobody knows may do anything. */
export const classOf = (command: string): CommandClass => classes.get(command) ?? 'administer';

/** Every class that a command is of, whatever it says: its own first. */
export function classesOf(command: string): readonly CommandClass[] {
  const more = further.get(newNames.get(command) ?? command);
  return more ? [classOf(command), more] : [classOf(command)];
}

/** A command's name in every spelling by which servers know it. */
export function spellingsOf(command: string): readonly string[] {
  const name = newNames.get(command) ?? command;
  const old = oldNames.get(name);
  return old === undefined ? [name] : [name, old];
}

/** True where the command's value is the name of a collection, or 1 for the whole database. */
export const worksOnCollection = (command: string): boolean => ofCollections.has(command);

/** True where nothing of a command may be shown but its name. */
export const isSecretive = (command: string): boolean => secretive.has(command.toLowerCase());

/** True for the greeting in all its spellings. */
export const isHello = (command: string): boolean => ['hello', 'ismaster'].includes(command.toLowerCase());

/** True for what changes who a connection is at the server, which is the agent's business alone. */
export const isLogin = (command: string): boolean =>
  ['authenticate', 'saslstart', 'saslcontinue', 'logout', 'getnonce', 'copydbgetnonce', 'copydbsaslstart'].includes(
    command.toLowerCase(),
  );
