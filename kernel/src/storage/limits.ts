import { PosternError } from '@postern/plugin-sdk';
import type { Commit } from './store.js';

/** What every backend accepts. They fit the limits of the databases that a cluster may keep its state in. Sizes are bytes of UTF-8. */
export const limits = {
  keyBytes: 512,
  valueBytes: 1024 * 1024,
  /** Checks, puts and deletes of one commit, together. */
  commitOperations: 128,
  /** Keys and values of one commit, together. */
  commitBytes: 1280 * 1024,
} as const;

/** No control characters, no half of a surrogate pair (which would be stored as another key), no non-characters. */
const keyText = /^[^\p{Cc}\p{Cs}\p{Noncharacter_Code_Point}]*$/u;

/** Backends would cut a value at a NUL, or store U+FFFD for a surrogate, without a word. */
const valueText = /[\0\p{Cs}]/u;

const quote = (key: string): string => JSON.stringify(key.length > 80 ? `${key.slice(0, 80)}…` : key);

/** Refuses what is no key. Returns its size in bytes. */
export function checkKey(key: string): number {
  if (key === '') throw new PosternError('invalid_argument', 'a key is empty');
  return checkPrefix(key);
}

/** Refuses what cannot begin a key. The empty prefix is fine. Returns its size in bytes. */
export function checkPrefix(prefix: string): number {
  // The length in UTF-16 units is a lower bound, and spares the work on huge input.
  if (prefix.length > limits.keyBytes || Buffer.byteLength(prefix) > limits.keyBytes)
    throw new PosternError('limit_exceeded', `key ${quote(prefix)} is longer than ${limits.keyBytes} bytes`);
  if (!keyText.test(prefix))
    throw new PosternError('invalid_argument', `key ${quote(prefix)} has characters that no key may have`);
  return Buffer.byteLength(prefix);
}

function checkValue(key: string, value: string): number {
  if (value.length > limits.valueBytes || Buffer.byteLength(value) > limits.valueBytes)
    throw new PosternError('limit_exceeded', `the value of ${quote(key)} is larger than ${limits.valueBytes} bytes`);
  if (valueText.test(value))
    throw new PosternError('invalid_argument', `the value of ${quote(key)} is not well-formed text without NUL`);
  return Buffer.byteLength(value);
}

/** Refuses a revision that no store gives out. */
export function checkRevision(revision: number): void {
  if (!Number.isSafeInteger(revision) || revision < 0)
    throw new PosternError('invalid_argument', `${revision} is not a revision`);
}

/** Refuses a page size that is not a positive integer. */
export function checkLimit(limit: number): void {
  if (!Number.isSafeInteger(limit) || limit < 1) throw new PosternError('invalid_argument', `${limit} is not a limit`);
}

/** Refuses a commit that is malformed or too large. Returns its size in bytes. */
export function checkCommit({ check = [], put = [], delete: remove = [] }: Commit): number {
  const operations = check.length + put.length + remove.length;
  if (operations > limits.commitOperations)
    throw new PosternError(
      'limit_exceeded',
      `a commit of ${operations} operations; at most ${limits.commitOperations} are possible`,
    );

  let bytes = 0;
  const written = new Set<string>();
  const write = (key: string): void => {
    bytes += checkKey(key);
    if (written.has(key)) throw new PosternError('invalid_argument', `key ${quote(key)} is written twice`);
    written.add(key);
  };
  for (const { key, revision } of check) {
    bytes += checkKey(key);
    checkRevision(revision);
  }
  for (const key of remove) write(key);
  for (const { key, value, expires } of put) {
    write(key);
    bytes += checkValue(key, value);
    if (expires && Number.isNaN(expires.getTime()))
      throw new PosternError('invalid_argument', `key ${quote(key)} expires at no valid time`);
  }
  if (bytes > limits.commitBytes)
    throw new PosternError(
      'limit_exceeded',
      `a commit of ${bytes} bytes; at most ${limits.commitBytes} bytes are possible`,
    );
  return bytes;
}
