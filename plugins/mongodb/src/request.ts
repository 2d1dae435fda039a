import { documentAt, elementsOf, textOf, type Element, type Span } from './bson-elements.js';
import type { Message } from './message-reader.js';
import { broken, flag, headerBytes, opcode, type Asker } from './wire.js';

/** Documents beside the body, which stand for an array in it. */
export interface Sequence extends Span {
  readonly identifier: string;
}

/** A command as a client sent it. */
export interface Request extends Asker {
  readonly data: Buffer;
  readonly flags: number;
  /** Of the command. */
  readonly name: string;
  readonly database: string;
  readonly body: Span;
  /** Of the body, by name. */
  readonly fields: ReadonlyMap<string, Element>;
  readonly sequences: readonly Sequence[];
}

/** What servers take at most in one document (limits, "BSON Document Size"), and what they add to it for commands. */
const maxBodyBytes = 16 * 1024 * 1024 + 16 * 1024;
/** Which fields of which commands may stand beside the body. Some servers take any, which nobody would have looked at. */
const sequenced: ReadonlyMap<string, readonly string[]> = new Map([
  ['insert', ['documents']],
  ['update', ['updates']],
  ['delete', ['deletes']],
  ['bulkWrite', ['ops', 'nsInfo']],
]);
/** No command has as many, and each takes memory here. */
const maxFields = 512;

/** Reads a message of a client. Throws `protocol_violation` for whatever two readers could understand in two ways. */
export function parseRequest({ header, data }: Message): Request {
  if (header.opcode === opcode.message) return parseMessage(data, header.requestId);
  if (header.opcode === opcode.query) return parseQuery(data, header.requestId);
  if (header.opcode === opcode.compressed) throw broken('compression was not agreed on');
  throw broken(`messages of the kind ${header.opcode} are not supported`);
}

function parseMessage(data: Buffer, requestId: number): Request {
  if (data.length < headerBytes + 5) throw broken('a message is too short');
  const flags = data.readUInt32LE(headerBytes);
  if ((flags & 0xffff & ~(flag.checksum | flag.moreToCome)) !== 0)
    throw broken('a message has flags that nobody knows');
  const end = (flags & flag.checksum) === 0 ? data.length : data.length - 4;
  const sequences: Sequence[] = [];
  let body: Span | undefined;
  for (let at = headerBytes + 4; at < end || !body;) {
    const kind = at < end ? data[at] : undefined;
    if (kind === 0 && !body) at = (body = documentAt(data, at + 1, end)).end;
    else if (kind === 1 && sequences.length < 2) {
      const sequence = sequenceAt(data, at + 1, end);
      sequences.push(sequence);
      at = sequence.end;
    } else throw broken('a message has sections that do not belong there');
  }
  const fields = fieldsOf(data, body);
  const name = nameOf(fields);
  assertSequences(name, fields, sequences);
  const database = textOf(data, fields.get('$db'));
  if (database === undefined) throw broken('a message names no database');
  return { requestId, legacy: false, data, flags, body, fields, sequences, database, name };
}

/** Servers answer OP_QUERY only for the greeting of old clients (since version 5.1). */
function parseQuery(data: Buffer, requestId: number): Request {
  const nameStart = headerBytes + 4;
  const nameEnd = data.indexOf(0, nameStart);
  if (nameEnd < 0) throw broken('a query has no collection');
  const [database, ...collection] = data.toString('utf8', nameStart, nameEnd).split('.');
  if (collection.join('.') !== '$cmd' || !database) throw broken('queries of the kind OP_QUERY are not supported');
  const body = documentAt(data, nameEnd + 9, data.length);
  if (body.end !== data.length) throw broken('a query has something behind its document');
  const fields = fieldsOf(data, body);
  return { requestId, legacy: true, data, flags: 0, body, fields, sequences: [], database, name: nameOf(fields) };
}

function sequenceAt(data: Buffer, at: number, limit: number): Sequence {
  const size = at + 4 <= limit ? data.readInt32LE(at) : 0;
  const end = at + size;
  const nameEnd = data.indexOf(0, at + 4);
  if (size < 5 || end > limit || nameEnd < 0 || nameEnd >= end) throw broken('a document sequence is malformed');
  return { identifier: data.toString('utf8', at + 4, nameEnd), start: nameEnd + 1, end };
}

/** The documents of a sequence. */
export function* documentsOf(data: Buffer, { start, end }: Span): Generator<Span> {
  for (let at = start; at < end;) {
    const document = documentAt(data, at, end);
    yield document;
    at = document.end;
  }
}

function fieldsOf(data: Buffer, body: Span): Map<string, Element> {
  if (body.end - body.start > maxBodyBytes) throw broken('a command is longer than 16 MB');
  const fields = new Map<string, Element>();
  for (const element of elementsOf(data, body)) {
    if (fields.has(element.name)) throw broken('a command says one thing twice');
    if (fields.size === maxFields) throw broken(`a command has more than ${maxFields} fields`);
    fields.set(element.name, element);
  }
  return fields;
}

function assertSequences(name: string, fields: ReadonlyMap<string, Element>, sequences: readonly Sequence[]): void {
  const names = new Set(fields.keys());
  for (const { identifier } of sequences) {
    if (names.has(identifier)) throw broken('a command says one thing twice');
    if (sequenced.get(name)?.includes(identifier) !== true)
      throw broken(`a message has ${name} and a sequence that does not belong there`);
    names.add(identifier);
  }
}

const nameOf = (fields: ReadonlyMap<string, Element>): string => {
  for (const name of fields.keys()) return name;
  throw broken('a message has no command');
};
