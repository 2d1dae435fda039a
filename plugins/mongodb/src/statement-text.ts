import { bsonType, elementsOf, integerOf, spanOf, type Element, type Span } from './bson-elements.js';
import { documentsOf } from './request.js';

/** What says nothing about what a command does. */
const envelope = new Set(['$db', 'lsid', '$clusterTime', '$readPreference', 'apiVersion', 'txnNumber', 'signature']);

/** Values that nobody may see, wherever they stand. */
const masked = new Set(['pwd', 'password', 'passwd', 'payload', 'speculativeauthenticate', 'secret']);

const maxDepth = 24;

/**
 * A document as people write it in a shell, up to `limit` characters or so.
 * Looks at no more of the data than it shows, however much or deep that is.
 */
export class StatementText {
  #text = '';
  truncated = false;

  constructor(private readonly limit: number) {}

  get text(): string {
    return this.#text.slice(0, this.limit);
  }

  /** The fields of a command without its envelope; no matter how malformed what stands deeper is. */
  command(data: Buffer, body: Span): this {
    try {
      this.#document(data, body, { depth: 0, array: false });
    } catch {
      this.truncated = true;
    }
    return this;
  }

  /** The documents of a sequence, as the array for which they stand. */
  sequence(data: Buffer, name: string, span: Span): this {
    if (this.#full) return this;
    this.#text += ` ${keyOf(name)}: [`;
    try {
      for (const document of documentsOf(data, span)) {
        if (this.#full) return this;
        this.#document(data, document, { depth: 1, array: false });
      }
      this.#text += ']';
    } catch {
      this.truncated = true;
    }
    return this;
  }

  get #full(): boolean {
    if (this.#text.length < this.limit) return false;
    this.truncated = true;
    return true;
  }

  #document(data: Buffer, span: Span, { depth, array }: { readonly depth: number; readonly array: boolean }): void {
    if (depth > maxDepth) {
      this.truncated = true;
      this.#text += '…';
      return;
    }
    this.#text += array ? '[' : '{';
    let between = '';
    for (const element of elementsOf(data, span)) {
      if (depth === 0 && envelope.has(element.name)) continue;
      if (this.#full) return;
      this.#text += `${between}${array ? '' : `${keyOf(element.name)}: `}`;
      between = ', ';
      if (masked.has(element.name.toLowerCase())) this.#text += '[masked]';
      else this.#value(data, element, depth);
    }
    this.#text += array ? ']' : '}';
  }

  #value(data: Buffer, element: Element, depth: number): void {
    const inner = spanOf(data, element);
    if (inner) return this.#document(data, inner, { depth: depth + 1, array: element.type === bsonType.array });
    if (element.type === bsonType.string) return this.#string(data, element);
    this.#text += scalar(data, element);
  }

  /** No more of a long string is decoded than fits. */
  #string(data: Buffer, { start, end }: Element): void {
    const last = end - 1;
    const cut = Math.min(last, start + 4 + Math.max(0, this.limit - this.#text.length));
    if (cut < last) this.truncated = true;
    this.#text += JSON.stringify(data.toString('utf8', start + 4, cut));
  }
}

const keyOf = (name: string): string => (/^[\w$.]+$/.test(name) ? name : JSON.stringify(name.slice(0, 256)));

function scalar(data: Buffer, element: Element): string {
  const { type, start, end } = element;
  const integer = integerOf(data, element);
  if (integer !== undefined) return integer;
  if (type === bsonType.double) return String(data.readDoubleLE(start));
  if (type === bsonType.boolean) return data[start] === 0 ? 'false' : 'true';
  if (type === bsonType.null) return 'null';
  if (type === bsonType.objectId) return `ObjectId("${data.toString('hex', start, end)}")`;
  if (type === bsonType.date) return dateText(data.readBigInt64LE(start));
  if (type === bsonType.regex) return regexText(data, start, end);
  if (type === bsonType.timestamp) return `Timestamp(${data.readUInt32LE(start + 4)}, ${data.readUInt32LE(start)})`;
  if (type === bsonType.binary) return `Binary(${end - start - 5} bytes)`;
  return `<type ${type}>`;
}

function dateText(ms: bigint): string {
  const date = new Date(Number(ms));
  return Number.isNaN(date.getTime()) ? `Date(${ms})` : `ISODate("${date.toISOString()}")`;
}

function regexText(data: Buffer, start: number, end: number): string {
  const cut = data.indexOf(0, start);
  const source = data.toString('utf8', start, Math.min(cut, start + 256));
  return `/${source}/${data.toString('utf8', cut + 1, end - 1).slice(0, 16)}`;
}
