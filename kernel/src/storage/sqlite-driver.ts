import { PosternError } from '@postern/plugin-sdk';

type SqlValue = string | number | null;
export type Row = Readonly<Record<string, SqlValue>>;

/** A prepared statement. Values are positional (`?`) or one object of names (`$name`), never both. */
export interface Statement {
  run(...values: (SqlValue | Readonly<Record<string, SqlValue>>)[]): { readonly changes: number | bigint };
  get(...values: (SqlValue | Readonly<Record<string, SqlValue>>)[]): Row | undefined;
  all(...values: (SqlValue | Readonly<Record<string, SqlValue>>)[]): Row[];
}

/** The part of node:sqlite's `DatabaseSync` that the store uses. Every call blocks until it is done. */
export interface Database {
  exec(sql: string): void;
  prepare(sql: string): Statement;
  close(): void;
}

interface Binding {
  readonly DatabaseSync: new (path: string) => Database;
}

/**
 * Opens a database file, or `:memory:`, through Node's own binding where this
 * Node has one, else through the package with the same interface. Throws what
 * the binding throws.
 */
export async function openDatabase(path: string): Promise<Database> {
  const builtin = process.getBuiltinModule('node:sqlite');
  const binding = (builtin ?? (await import('@photostructure/sqlite'))) as Binding;
  return new binding.DatabaseSync(path);
}

const busy = 5;

/** True where another connection holds the lock that the statement needed. Extended codes count too. */
export function isBusy(cause: unknown): boolean {
  const code = typeof cause === 'object' && cause !== null && 'errcode' in cause ? cause.errcode : undefined;
  return typeof code === 'number' && (code & 0xff) === busy;
}

/** Whatever was thrown while the store was `doing` something: `unavailable`, unless it says better what it is. */
export function storageFailure(doing: string, cause: unknown): PosternError {
  const message = cause instanceof Error ? cause.message : String(cause);
  return new PosternError(PosternError.is(cause) ? cause.code : 'unavailable', `${doing}: ${message}`, { cause });
}
