import { HttpRefusal } from '@postern/plugin-sdk/http1';

/** A target of a request, taken apart. */
export interface RequestPath {
  /** What is decided: decoded, each reading that some server may have of it. */
  readonly readings: readonly [string, ...string[]];
  /** What is forwarded: the same path in one spelling, with the query as it was sent. */
  readonly forwarded: string;
  readonly query: string | undefined;
}

const longest = 4096;

/**
 * Reads the target of a request, in origin form, so that what is forwarded is
 * what was decided. Slashes in a row become one. Refuses what two servers could
 * read in two ways: `.` and `..`, encoded or not, backslashes, encoded slashes
 * and control characters, what is encoded twice, what is no UTF-8, and, unless
 * `parameters` says otherwise, a semicolon.
 */
export function readRequestPath(target: string, parameters: boolean): RequestPath {
  const cut = target.indexOf('?');
  const raw = (cut < 0 ? target : target.slice(0, cut)).replace(/\/{2,}/g, '/');
  const query = cut < 0 ? undefined : target.slice(cut + 1);
  if (raw.length > longest) throw new HttpRefusal(431, 'the path is too long');
  if (raw === '*') return { readings: ['*'], forwarded: target, query };
  const path = decoded(raw);
  assureOneReading(raw, path);
  const forwarded = spelled(raw) + (query === undefined ? '' : `?${query}`);
  if (!path.includes(';')) return { readings: [path], forwarded, query };
  if (!parameters) throw ambiguous('a semicolon');
  const bare = path.replace(/;[^/]*/g, '');
  assureOneReading(bare, bare);
  return { readings: [path, bare.replace(/\/{2,}/g, '/')], forwarded, query };
}

function decoded(raw: string): string {
  try {
    return decodeURIComponent(raw);
  } catch {
    throw new HttpRefusal(400, 'the path of the request is not well encoded');
  }
}

function assureOneReading(raw: string, path: string): void {
  if (/%(?:2f|5c)/i.test(raw)) throw ambiguous('an encoded slash');
  if (path.includes('\\')) throw ambiguous('a backslash');
  // What ends strings and lines elsewhere, or is skipped there.
  if (/[\p{Cc}\p{Zl}\p{Zp}\ufeff]/u.test(path)) throw ambiguous('a control character');
  if (/%(?:2e|2f|5c|25|3b|00)/i.test(path)) throw ambiguous('a character that is encoded twice');
  if (path.split('/').some((part) => /^\.{1,2}(?:;|$)/.test(part))) throw ambiguous('a part that is `.` or `..`');
}

/** Unreserved characters in clear and all others encoded in capitals (RFC 3986, section 6.2.2). */
function spelled(raw: string): string {
  return raw.replace(/%([0-9A-Fa-f]{2})/g, (_, hex: string) => {
    const character = String.fromCharCode(parseInt(hex, 16));
    return /[A-Za-z0-9._~-]/.test(character) ? character : `%${hex.toUpperCase()}`;
  });
}

const ambiguous = (what: string): HttpRefusal => new HttpRefusal(400, `the path of the request has ${what}`);
