import type { ResponseKind } from './response-reader.js';

/** What the first byte of a command means (MySQL, "Command Phase"; MariaDB, "2 - Text Protocol" and "3 - Binary Protocol"). */
interface CommandInfo {
  readonly name: string;
  readonly response: ResponseKind;
}

const of = (name: string, response: ResponseKind = 'simple'): CommandInfo => ({ name, response });

export const command = {
  quit: 0x01,
  initDatabase: 0x02,
  query: 0x03,
  changeUser: 0x11,
  binlogDump: 0x12,
  tableDump: 0x13,
  registerReplica: 0x15,
  prepare: 0x16,
  execute: 0x17,
  longData: 0x18,
  closeStatement: 0x19,
  resetStatement: 0x1a,
  fetch: 0x1c,
  binlogDumpGtid: 0x1e,
  resetConnection: 0x1f,
  bulkExecute: 0xfa,
} as const;

const commands: ReadonlyMap<number, CommandInfo> = new Map([
  [0x00, of('sleep')],
  [command.quit, of('quit', 'none')],
  [command.initDatabase, of('init_db')],
  [command.query, of('query', 'results')],
  [0x04, of('field_list', 'rows')],
  [0x05, of('create_db')],
  [0x06, of('drop_db')],
  [0x07, of('refresh')],
  [0x08, of('shutdown')],
  [0x09, of('statistics', 'text')],
  [0x0a, of('process_info', 'results')],
  [0x0c, of('process_kill')],
  [0x0d, of('debug')],
  [0x0e, of('ping')],
  [command.changeUser, of('change_user')],
  [command.binlogDump, of('binlog_dump', 'stream')],
  [command.tableDump, of('table_dump', 'stream')],
  [command.registerReplica, of('register_replica')],
  [command.prepare, of('prepare', 'prepare')],
  [command.execute, of('execute', 'results')],
  [command.longData, of('long_data', 'none')],
  [command.closeStatement, of('close_statement', 'none')],
  [command.resetStatement, of('reset_statement')],
  [0x1b, of('set_option')],
  [command.fetch, of('fetch', 'rows')],
  [command.binlogDumpGtid, of('binlog_dump_gtid', 'stream')],
  [command.resetConnection, of('reset_connection')],
  [command.bulkExecute, of('bulk_execute', 'results')],
]);

/** `undefined` for a command that is not known: what the server would answer is not known either. */
export const commandOf = (byte: number): CommandInfo | undefined => commands.get(byte);

/** Commands by which a client copies all that a server has. */
export const isReplication = (byte: number): boolean =>
  byte === command.binlogDump ||
  byte === command.binlogDumpGtid ||
  byte === command.tableDump ||
  byte === command.registerReplica;
