import { PosternError } from '@postern/plugin-sdk';

/** The longest argument, in bytes: what Redis allows by default (`proto-max-bulk-len`). */
export const maxBulkBytes = 512 * 1024 * 1024;

/** The most arguments of a command (`networking.c`, processMultibulkBuffer). */
export const maxArguments = 1024 * 1024;

/** The longest line of an inline command (`PROTO_INLINE_MAX_SIZE`). */
export const maxInlineBytes = 64 * 1024;

/** A count or a length fits in this, with its CRLF. */
export const maxCountBytes = 16;

/** An error that the client is told in Redis' own words. */
export const protocolError = (what: string): PosternError =>
  PosternError.public('protocol_violation', `Protocol error: ${what}`);

/**
 * A command as an array of bulk strings, the form in which servers take them
 * (RESP, section "Sending commands to a Redis server").
 */
export function encodeCommand(words: readonly (string | Buffer)[]): Buffer {
  const parts = words.flatMap((word) => {
    const data = typeof word === 'string' ? Buffer.from(word) : word;
    return [Buffer.from(`$${data.length}\r\n`), data, Buffer.from('\r\n')];
  });
  return Buffer.concat([Buffer.from(`*${words.length}\r\n`), ...parts]);
}

/** A simple error: a code in capitals and a line of text. */
export function errorReply(code: string, message: string): Buffer {
  return Buffer.from(`-${code} ${message.replace(/[\r\n]+/g, ' ')}\r\n`);
}

/**
 * The number in a line such as `*3`, as Redis reads it: digits without leading
 * zeros, spaces or a plus. Throws what Redis says.
 */
export function parseCount(line: string, what: string): number {
  const text = line.slice(1);
  if (!/^(0|-?[1-9][0-9]{0,9})$/.test(text)) throw protocolError(`invalid ${what}`);
  return Number(text);
}

/**
 * The number at `at`, where it has one to nine digits and the CRLF behind it is
 * there; `undefined` where only {@link parseCount} can tell. Returns it with
 * where the next line begins.
 */
export function usualCount(data: Buffer, at: number): { readonly value: number; readonly behind: number } | undefined {
  let value = 0;
  let end = at;
  for (let byte = data[end] ?? 0; byte >= 0x30 && byte <= 0x39 && end < at + 9; byte = data[++end] ?? 0)
    value = value * 10 + byte - 0x30;
  const isUsual = value > 0 && data[at] !== 0x30 && data[end] === 0x0d && data[end + 1] === 0x0a;
  return isUsual ? { value, behind: end + 2 } : undefined;
}
