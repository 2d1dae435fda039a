import { PosternError } from '@postern/plugin-sdk';

const maxDepth = 32;

const refused = (what: string): PosternError =>
  new PosternError('invalid_argument', `${what} cannot stand in an audit event`);

/**
 * One text for one value, by RFC 8785: members sorted by UTF-16 code unit, no
 * white space, and therefore no newline. Members that are undefined are left
 * out. Refuses with `invalid_argument` whatever JSON would change or drop in
 * silence (dates, byte arrays, NaN, functions) and what nests deeper than 32.
 */
export function canonicalJson(value: unknown, depth = 0): string {
  if (depth > maxDepth) throw refused(`a value nested deeper than ${maxDepth}`);
  if (typeof value === 'string' || typeof value === 'boolean' || value === null) return JSON.stringify(value);
  if (typeof value === 'number') {
    if (!Number.isFinite(value)) throw refused(String(value));
    return JSON.stringify(value);
  }
  if (Array.isArray(value)) return `[${value.map((item) => canonicalJson(item, depth + 1)).join(',')}]`;
  if (typeof value === 'object' && isPlain(value)) return canonicalObject(value, depth);
  throw refused(`a value of type ${typeof value === 'object' ? value.constructor.name : typeof value}`);
}

function isPlain(value: object): value is Readonly<Record<string, unknown>> {
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === Object.prototype || prototype === null;
}

function canonicalObject(value: Readonly<Record<string, unknown>>, depth: number): string {
  let text = '';
  for (const name of Object.keys(value).sort()) {
    const member = value[name];
    if (member === undefined) continue;
    text += `${text === '' ? '' : ','}${JSON.stringify(name)}:${canonicalJson(member, depth + 1)}`;
  }
  return `{${text}}`;
}
