import { broken } from './wire.js';

/** One field of a document, with its value's place in the data. */
export interface Element {
  readonly type: number;
  readonly name: string;
  readonly start: number;
  readonly end: number;
}

/** A document's place in the data. */
export interface Span {
  readonly start: number;
  readonly end: number;
}

export const bsonType = {
  double: 0x01,
  string: 0x02,
  document: 0x03,
  array: 0x04,
  binary: 0x05,
  objectId: 0x07,
  boolean: 0x08,
  date: 0x09,
  null: 0x0a,
  regex: 0x0b,
  int32: 0x10,
  timestamp: 0x11,
  int64: 0x12,
} as const;

/** Values of one length (BSON specification 1.1), by type. */
export const fixedSizes: ReadonlyMap<number, number> = new Map([
  [0x01, 8],
  [0x06, 0],
  [0x07, 12],
  [0x08, 1],
  [0x09, 8],
  [0x0a, 0],
  [0x10, 4],
  [0x11, 8],
  [0x12, 8],
  [0x13, 16],
  [0x7f, 0],
  [0xff, 0],
]);

/** What is added to the length that a value begins with, for how much there is behind that length; and the least length. */
export const sizedTypes: ReadonlyMap<number, { readonly extra: number; readonly least: number }> = new Map([
  [0x02, { extra: 0, least: 1 }],
  [0x03, { extra: -4, least: 5 }],
  [0x04, { extra: -4, least: 5 }],
  [0x05, { extra: 1, least: 0 }],
  [0x0c, { extra: 12, least: 1 }],
  [0x0d, { extra: 0, least: 1 }],
  [0x0e, { extra: 0, least: 1 }],
  [0x0f, { extra: -4, least: 14 }],
]);

const malformed = (): Error => broken('a document is malformed');

/** Where the document at `at` ends, which is not behind `limit`. */
export function documentAt(data: Buffer, at: number, limit: number): Span {
  if (at + 5 > limit) throw malformed();
  const end = at + data.readInt32LE(at);
  if (end < at + 5 || end > limit || data[end - 1] !== 0) throw malformed();
  return { start: at, end };
}

function cstringEnd(data: Buffer, at: number, limit: number): number {
  const end = data.indexOf(0, at);
  if (end < 0 || end >= limit) throw malformed();
  return end;
}

/** The same for loops over millions of elements; -1 where a value's length is not its type's. */
const fixedTable = Int8Array.from({ length: 256 }, (_, type) => fixedSizes.get(type) ?? -1);

function valueEnd(data: Buffer, type: number, at: number, limit: number): number {
  const fixed = fixedTable[type] ?? -1;
  if (fixed >= 0) return at + fixed;
  if (type === bsonType.regex) return cstringEnd(data, cstringEnd(data, at, limit) + 1, limit) + 1;
  const sized = sizedTypes.get(type);
  if (!sized || at + 4 > limit) throw malformed();
  const length = data.readInt32LE(at);
  if (length < sized.least) throw malformed();
  return at + 4 + length + sized.extra;
}

/**
 * The fields of a document, of whose values only the lengths are looked at.
 * Throws `protocol_violation` where these do not add up.
 */
export function* elementsOf(data: Buffer, { start, end }: Span): Generator<Element> {
  const limit = end - 1;
  for (let at = start + 4; at < limit;) {
    const type = data[at] ?? 0;
    const nameEnd = cstringEnd(data, at + 1, limit);
    const valueAt = nameEnd + 1;
    const next = valueEnd(data, type, valueAt, limit);
    if (next > limit) throw malformed();
    yield { type, name: data.toString('utf8', at + 1, nameEnd), start: valueAt, end: next };
    at = next;
  }
}

/** The fields of a small document. Throws `protocol_violation` where there are more than `limit`. */
export function fewElements(data: Buffer, span: Span, limit = 64): Element[] {
  const found: Element[] = [];
  for (const element of elementsOf(data, span)) {
    if (found.length === limit) throw broken(`a document has more than ${limit} fields where few belong`);
    found.push(element);
  }
  return found;
}

/** As deep as MongoDB lets documents nest (limits, "Nested Depth for BSON Documents"), and somewhat more. */
const maxDepth = 128;

const dollar = 0x24;

/**
 * Calls `found` for every field whose name begins with a dollar sign, at any
 * depth. For documents of many megabytes: nothing is made for other fields.
 * Throws `protocol_violation` where they are nested too deeply or malformed.
 */
export function walkOperators(data: Buffer, { start, end }: Span, found: (element: Element) => void, depth = 0): void {
  if (depth > maxDepth) throw broken('a command is nested too deeply');
  const limit = end - 1;
  for (let at = start + 4; at < limit;) {
    const type = data[at] ?? 0;
    let nameEnd = at + 1;
    while (nameEnd < limit && data[nameEnd] !== 0) nameEnd += 1;
    if (nameEnd >= limit) throw malformed();
    const valueAt = nameEnd + 1;
    const next = valueEnd(data, type, valueAt, limit);
    if (next > limit) throw malformed();
    if (data[at + 1] === dollar)
      found({ type, name: data.toString('utf8', at + 1, nameEnd), start: valueAt, end: next });
    if (type === bsonType.document || type === bsonType.array)
      walkOperators(data, documentAt(data, valueAt, next), found, depth + 1);
    at = next;
  }
}

/** The text of a string; nothing of any other value, nor of one with a NUL in it, which some servers cut there. */
export function textOf(data: Buffer, element: Element | undefined): string | undefined {
  if (element?.type !== bsonType.string || data[element.end - 1] !== 0) return undefined;
  const text = data.toString('utf8', element.start + 4, element.end - 1);
  return text.includes('\0') ? undefined : text;
}

/** The document or the array in a field. */
export const spanOf = (data: Buffer, element: Element | undefined): Span | undefined =>
  element && (element.type === bsonType.document || element.type === bsonType.array)
    ? documentAt(data, element.start, element.end)
    : undefined;

/** A whole number, whatever type it has; as text, since 64 bits are more than a number holds. */
export function integerOf(data: Buffer, { type, start }: Element): string | undefined {
  if (type === bsonType.int64) return String(data.readBigInt64LE(start));
  if (type === bsonType.int32) return String(data.readInt32LE(start));
  return undefined;
}
