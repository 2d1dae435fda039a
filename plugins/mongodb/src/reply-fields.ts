import { bsonType, fixedSizes, sizedTypes } from './bson-elements.js';
import { broken } from './wire.js';

/** What of a reply is of interest, where it is there. */
export interface ReplyFields {
  /** 1 where the command succeeded. */
  ok?: number;
  code?: number;
  errmsg?: string;
  /** How many documents a write touched. */
  n?: number;
  /** Of a cursor; `0` where it has been read to its end. */
  cursor?: string;
  namespace?: string;
  /** How many documents came with it. */
  documents?: number;
  /** How many operations of a write were in error. */
  rejected?: number;
}

/** As much of a text or a name as is kept. */
const maxText = 512;

type Kind = 'fields' | 'cursor' | 'batch' | 'errors';

interface Open {
  readonly kind: Kind;
  /** Bytes of the document that are still to come. */
  left: number;
}

/** What is waited for: a document's size, an element's type, its name, the length of its value, or the value. */
type State = 'size' | 'type' | 'name' | 'length' | 'value' | 'regex' | 'skip' | 'done';

/**
 * Follows the document of a reply, wherever chunks begin and end, and keeps of
 * it what is of interest. The rest is counted and nothing of it is held.
 */
export class ReplyFieldsReader {
  readonly fields: ReplyFields = {};
  #state: State = 'size';
  readonly #open: Open[] = [];
  #kept: Buffer = Buffer.alloc(maxText);
  #keptLength = 0;
  #need = 4;
  #skip = 0;
  #type = 0;
  #name = '';
  #regexEnds = 0;
  #next: Kind = 'fields';

  /** True once the document has ended. */
  get done(): boolean {
    return this.#state === 'done';
  }

  /** Bytes of the document that have been read. */
  size = 0;

  /** Reads on from `at`, and returns where it stopped: the end of the data, or of the document. */
  read(data: Buffer, at: number): number {
    let position = at;
    while (position < data.length && this.#state !== 'done') {
      const before = position;
      position = this.#step(data, position);
      this.#count(position - before);
    }
    return position;
  }

  #count(bytes: number): void {
    this.size += bytes;
    for (const open of this.#open) {
      open.left -= bytes;
      if (open.left < 0) throw broken('a reply of the server is malformed');
    }
    this.#settle();
  }

  /** Acts on what has been collected; by itself, so that lengths were counted before a new document begins. */
  #settle(): void {
    const act = this.#due;
    this.#due = undefined;
    act?.();
  }
  #due: (() => void) | undefined;

  #step(data: Buffer, at: number): number {
    if (this.#state === 'skip') return this.#skipFrom(data, at);
    if (this.#state === 'name' || this.#state === 'regex') return this.#toNul(data, at);
    const take = Math.min(this.#need - this.#keptLength, data.length - at);
    data.copy(this.#kept, this.#keptLength, at, at + take);
    this.#keptLength += take;
    if (this.#keptLength === this.#need) this.#due = () => this.#collected();
    return at + take;
  }

  #skipFrom(data: Buffer, at: number): number {
    const take = Math.min(this.#skip, data.length - at);
    this.#skip -= take;
    if (this.#skip === 0) this.#due = () => this.#element();
    return at + take;
  }

  /** Reads a text that ends with a NUL, of which no more is kept than fits. */
  #toNul(data: Buffer, at: number): number {
    const nul = data.indexOf(0, at);
    const end = nul < 0 ? data.length : nul;
    const room = maxText - this.#keptLength;
    this.#keptLength += data.copy(this.#kept, this.#keptLength, at, Math.min(end, at + room));
    if (nul < 0) return end;
    this.#due = () => (this.#state === 'name' ? this.#named() : this.#regexPart());
    return nul + 1;
  }

  #expect(state: State, need: number): void {
    this.#state = state;
    this.#need = need;
    this.#keptLength = 0;
  }

  #collected(): void {
    if (this.#state === 'size') return this.#begin(this.#kept.readInt32LE(0));
    if (this.#state === 'type') return this.#typed(this.#kept[0] ?? 0);
    if (this.#state === 'length') return this.#sized(this.#kept.readInt32LE(0));
    this.#valued();
    this.#element();
  }

  #begin(size: number): void {
    if (size < 5) throw broken('a reply of the server is malformed');
    this.#open.push({ kind: this.#next, left: size - 4 });
    this.#element();
  }

  #element(): void {
    this.#expect('type', 1);
  }

  #typed(type: number): void {
    if (type !== 0) {
      this.#type = type;
      this.#expect('name', 0);
      return;
    }
    if (this.#open.pop()?.left !== 0) throw broken('a reply of the server is malformed');
    if (this.#open.length === 0) this.#state = 'done';
    else this.#element();
  }

  #named(): void {
    this.#name = this.#kept.toString('utf8', 0, this.#keptLength);
    const within = this.#open.at(-1)?.kind;
    if (within === 'batch') this.fields.documents = (this.fields.documents ?? 0) + 1;
    if (within === 'errors') this.fields.rejected = (this.fields.rejected ?? 0) + 1;
    const inner = kindOf(within, this.#name, this.#type);
    if (inner) {
      this.#next = inner;
      return this.#expect('size', 4);
    }
    const fixed = fixedSizes.get(this.#type);
    if (fixed === 0) this.#element();
    else if (fixed !== undefined) this.#expect('value', fixed);
    else if (this.#type === bsonType.regex) {
      this.#regexEnds = 0;
      this.#expect('regex', 0);
    } else if (sizedTypes.has(this.#type)) this.#expect('length', 4);
    else throw broken('a reply of the server is malformed');
  }

  #regexPart(): void {
    if ((this.#regexEnds += 1) === 2) this.#element();
    else this.#expect('regex', 0);
  }

  #sized(length: number): void {
    const sized = sizedTypes.get(this.#type);
    if (!sized || length < sized.least) throw broken('a reply of the server is malformed');
    const rest = length + sized.extra;
    if (rest === 0) this.#element();
    else if (this.#type === bsonType.string && rest <= maxText) this.#expect('value', rest);
    else {
      this.#state = 'skip';
      this.#skip = rest;
    }
  }

  #valued(): void {
    const within = this.#open.at(-1)?.kind;
    const value = this.#type === bsonType.string ? this.#kept.toString('utf8', 0, this.#need - 1) : this.#number();
    if (value === undefined) return;
    const key = within === 'cursor' ? cursorKeys[this.#name] : within === 'fields' ? keys[this.#name] : undefined;
    if (key === 'cursor') this.fields.cursor = String(value);
    else if (key === 'errmsg' || key === 'namespace') this.fields[key] = String(value);
    else if (key) this.fields[key] = Number(value);
  }

  #number(): number | bigint | undefined {
    if (this.#type === bsonType.double) return this.#kept.readDoubleLE(0);
    if (this.#type === bsonType.int32) return this.#kept.readInt32LE(0);
    if (this.#type === bsonType.int64) return this.#kept.readBigInt64LE(0);
    if (this.#type === bsonType.boolean) return this.#kept[0] ?? 0;
    return undefined;
  }
}

/** Null prototypes, since the names come from the server. */
const keys: Readonly<Record<string, 'ok' | 'code' | 'errmsg' | 'n'>> = Object.assign(
  Object.create(null) as Record<string, never>,
  { ok: 'ok', code: 'code', errmsg: 'errmsg', n: 'n' },
);
const cursorKeys: Readonly<Record<string, 'cursor' | 'namespace'>> = Object.assign(
  Object.create(null) as Record<string, never>,
  { id: 'cursor', ns: 'namespace' },
);

function kindOf(within: Kind | undefined, name: string, type: number): Kind | undefined {
  if (within === 'fields' && name === 'cursor' && type === bsonType.document) return 'cursor';
  if (within === 'fields' && name === 'writeErrors' && type === bsonType.array) return 'errors';
  const batch = within === 'cursor' && (name === 'firstBatch' || name === 'nextBatch') && type === bsonType.array;
  return batch ? 'batch' : undefined;
}
