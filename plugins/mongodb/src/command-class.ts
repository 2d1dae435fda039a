import { isListed } from './protocol.js';

/** Commands that say in which collection they work by their own value. */
const ofCollections = new Set(
  'find aggregate count distinct listIndexes collStats collstats mapReduce mapreduce insert update delete findAndModify findandmodify killCursors create createIndexes drop dropIndexes deleteIndexes collMod convertToCapped reIndex compact createSearchIndexes updateSearchIndex dropSearchIndex cloneCollectionAsCapped validate analyze planCacheClear planCacheClearFilters planCacheListFilters planCacheListPlans planCacheListQueryShapes planCacheSetFilter setIndexCommitQuorum'.split(
    ' ',
  ),
);

/** Commands of administrators that touch nothing but the database in which they are sent. */
const ofDatabases = new Set('dropUser dropAllUsersFromDatabase dropRole dropAllRolesFromDatabase dbHash'.split(' '));

/** Fields and commands in which there are secrets. */
const secretive = new Set(
  'authenticate saslstart saslcontinue createuser updateuser copydbsaslstart copydbgetnonce getnonce setparameter'.split(
    ' ',
  ),
);

/** True where the command's value is the name of a collection, or 1 for the whole database. */
export const worksOnCollection = (command: string): boolean => ofCollections.has(command);

/** True where a command may name any database in any field, since nobody here knows what it says. */
export const reachesAnywhere = (command: string): boolean =>
  !isListed(command) && !ofCollections.has(command) && !ofDatabases.has(command);

/** True where nothing of a command may be shown but its name. */
export const isSecretive = (command: string): boolean => secretive.has(command.toLowerCase());

/** True for the greeting in all its spellings. */
export const isHello = (command: string): boolean => ['hello', 'ismaster'].includes(command.toLowerCase());

/** True for what changes who a connection is at the server, which is the agent's business alone. */
export const isLogin = (command: string): boolean =>
  ['authenticate', 'saslstart', 'saslcontinue', 'logout', 'getnonce', 'copydbgetnonce', 'copydbsaslstart'].includes(
    command.toLowerCase(),
  );
