/** Capability flags (MySQL, "Capabilities Flags"; MariaDB, "Capabilities"). */
export const capability = {
  longPassword: 1,
  foundRows: 1 << 1,
  connectWithDatabase: 1 << 3,
  compress: 1 << 5,
  localFiles: 1 << 7,
  protocol41: 1 << 9,
  ssl: 1 << 11,
  transactions: 1 << 13,
  secureConnection: 1 << 15,
  multiStatements: 1 << 16,
  multiResults: 1 << 17,
  psMultiResults: 1 << 18,
  pluginAuth: 1 << 19,
  connectAttributes: 1 << 20,
  lengthEncodedAuth: 1 << 21,
  sessionTrack: 1 << 23,
  deprecateEof: 1 << 24,
  optionalMetadata: 1 << 25,
  zstd: 1 << 26,
  queryAttributes: 1 << 27,
  multiFactor: 1 << 28,
} as const;

/** MariaDB's own flags, which stand in a field of their own: bulk execution, and more about types. */
const mariadbCapability = { bulkOperations: 1 << 2, extendedTypes: 1 << 3 } as const;

/**
 * What a session never has: compression hides what is said, and the others
 * change the form of messages that have to be understood for little gain.
 */
const withheld =
  capability.compress |
  capability.zstd |
  capability.optionalMetadata |
  capability.queryAttributes |
  capability.multiFactor |
  capability.ssl;

export const has = (flags: number, flag: number): boolean => (flags & flag) !== 0;

/** What the client is offered of a server's abilities. */
export const offered = (server: number, localFiles: boolean): number =>
  (server & ~withheld & ~(localFiles ? 0 : capability.localFiles)) >>> 0;

/** Likewise of MariaDB's own. */
export const offeredByMariadb = (server: number): number =>
  (server & (mariadbCapability.bulkOperations | mariadbCapability.extendedTypes)) >>> 0;
