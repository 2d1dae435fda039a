import { Cursor, Malformed } from './bytes.js';

/** One element in DER (X.690): its tag, its contents, and how many bytes it took altogether. */
export interface Element {
  readonly tag: number;
  readonly body: Uint8Array;
  readonly length: number;
}

/** Writes an element. Tags have one byte, lengths are definite. */
export function element(tag: number, ...contents: readonly Uint8Array[]): Buffer {
  const body = Buffer.concat(contents);
  return Buffer.concat([Buffer.from([tag, ...lengthBytes(body.length)]), body]);
}

function lengthBytes(length: number): number[] {
  if (length < 0x80) return [length];
  const bytes: number[] = [];
  for (let rest = length; rest > 0; rest = Math.floor(rest / 256)) bytes.unshift(rest & 255);
  return [0x80 | bytes.length, ...bytes];
}

export const sequence = (...parts: readonly Uint8Array[]): Buffer => element(0x30, ...parts);
export const octets = (bytes: Uint8Array): Buffer => element(0x04, bytes);
export const utf8 = (text: string): Buffer => element(0x0c, Buffer.from(text));

/** Writes an explicit `[number]`, or nothing for an optional field that is absent. */
export const tagged = (number: number, inner: Uint8Array | undefined): Buffer =>
  inner ? element(0xa0 | number, inner) : Buffer.alloc(0);

export function integer(value: number): Buffer {
  const bytes: number[] = [];
  for (let rest = value; rest > 0 || bytes.length === 0; rest = Math.floor(rest / 256)) bytes.unshift(rest & 255);
  return element(0x02, Buffer.from((bytes[0] ?? 0) & 0x80 ? [0, ...bytes] : bytes));
}

/** The length of an element from its first bytes; undefined while they are too few. Rejects longer ones than `limit`. */
export function elementLength(head: Uint8Array, limit: number): number | undefined {
  const [, first] = head;
  if (first === undefined) return undefined;
  const count = first & 0x80 ? first & 0x7f : 0;
  if (count > 4 || first === 0x80) throw new Malformed('an element of indefinite or excessive length');
  if (head.length < 2 + count) return undefined;
  const body = count === 0 ? first : head.subarray(2, 2 + count).reduce((sum, byte) => sum * 256 + byte, 0);
  const length = 2 + count + body;
  if (length > limit) throw new Malformed(`an element of ${length} bytes`);
  return length;
}

export function readElement(bytes: Uint8Array, at = 0): Element {
  const length = elementLength(bytes.subarray(at), bytes.length - at);
  if (length === undefined) throw new Malformed('an element is cut off');
  const first = bytes[at + 1] ?? 0;
  const header = first & 0x80 ? 2 + (first & 0x7f) : 2;
  return { tag: bytes[at] ?? 0, body: new Cursor(bytes, at + header, at + length).rest(), length };
}

export function children(body: Uint8Array): Element[] {
  const found: Element[] = [];
  for (let at = 0; at < body.length; at += found.at(-1)?.length ?? 1) found.push(readElement(body, at));
  return found;
}

/** The explicitly tagged fields of a SEQUENCE, by their numbers. */
export function fieldsOf(bytes: Uint8Array): ReadonlyMap<number, Element> {
  const outer = readElement(bytes);
  if (outer.tag !== 0x30) throw new Malformed('a SEQUENCE is due');
  const fields = new Map<number, Element>();
  for (const { tag, body } of children(outer.body)) {
    if ((tag & 0xe0) !== 0xa0) throw new Malformed('a field without its number');
    fields.set(tag & 0x1f, readElement(body));
  }
  return fields;
}

/** A small non-negative INTEGER. */
export function numberIn({ tag, body }: Element): number {
  if (tag !== 0x02 || body.length === 0 || body.length > 5) throw new Malformed('a small INTEGER is due');
  return body.reduce((sum, byte) => sum * 256 + byte, 0);
}

export function octetsIn({ tag, body }: Element): Uint8Array {
  if (tag !== 0x04) throw new Malformed('an OCTET STRING is due');
  return body;
}
