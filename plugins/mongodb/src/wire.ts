import { serialize, type Document } from 'bson';
import { PosternError } from '@postern/plugin-sdk';

/** Kinds of messages (MongoDB wire protocol, "Opcodes"). Older servers have others, which nobody sends today. */
export const opcode = { reply: 1, query: 2004, compressed: 2012, message: 2013 } as const;

/** Bits of OP_MSG. Those below 16 must be understood by whoever receives them. */
export const flag = { checksum: 1, moreToCome: 2, exhaustAllowed: 0x10000 } as const;

export const headerBytes = 16;

/** What every message begins with. */
export interface Header {
  /** Of the whole message. */
  readonly length: number;
  readonly requestId: number;
  readonly responseTo: number;
  readonly opcode: number;
}

/** An error that the client is told, after which nothing of the stream can be understood. */
export const broken = (what: string): PosternError => PosternError.public('protocol_violation', `${what}`);

/** Reads a header, whose length is at least that of a header and at most `limit`. */
export function parseHeader(data: Buffer, at: number, limit: number): Header {
  const length = data.readInt32LE(at);
  if (length < headerBytes || length > limit) throw broken(`a message of ${length >>> 0} bytes was announced`);
  return { length, ...parseIds(data, at) };
}

/** All of a header but its length. */
export const parseIds = (data: Buffer, at = 0): Omit<Header, 'length'> => ({
  requestId: data.readInt32LE(at + 4),
  responseTo: data.readInt32LE(at + 8),
  opcode: data.readInt32LE(at + 12),
});

export interface Envelope {
  readonly requestId: number;
  readonly responseTo?: number;
}

function encode({ requestId, responseTo = 0 }: Envelope, kind: number, parts: readonly Uint8Array[]): Buffer {
  const header = Buffer.alloc(headerBytes);
  header.writeInt32LE(
    parts.reduce((sum, part) => sum + part.length, headerBytes),
    0,
  );
  header.writeInt32LE(requestId, 4);
  header.writeInt32LE(responseTo, 8);
  header.writeInt32LE(kind, 12);
  return Buffer.concat([header, ...parts]);
}

/** An OP_MSG with a body and nothing else. */
export const encodeMessage = (envelope: Envelope, body: Document): Buffer =>
  encode(envelope, opcode.message, [Buffer.alloc(5), serialize(body)]);

/** An OP_REPLY with one document: the answer to an OP_QUERY. */
function encodeLegacyReply(envelope: Envelope, body: Document): Buffer {
  const head = Buffer.alloc(20);
  head.writeInt32LE(1, 16);
  return encode(envelope, opcode.reply, [head, serialize(body)]);
}

/** Who asked, and how the answer must look. */
export interface Asker {
  readonly requestId: number;
  /** True for an OP_QUERY. */
  readonly legacy: boolean;
}

/** The answer to a request, in the form that belongs to it. */
export const encodeAnswer = ({ requestId, legacy }: Asker, body: Document): Buffer =>
  (legacy ? encodeLegacyReply : encodeMessage)({ requestId: 0, responseTo: requestId }, body);

/** An OP_QUERY for the command collection of `admin`: the greeting of clients that do not know yet whether OP_MSG is spoken. */
export function encodeLegacyQuery(envelope: Envelope, { $db, ...body }: Document): Buffer {
  const tail = Buffer.alloc(8);
  tail.writeInt32LE(-1, 4);
  return encode(envelope, opcode.query, [
    Buffer.alloc(4),
    Buffer.from(`${String($db ?? 'admin')}.$cmd\0`),
    tail,
    serialize(body),
  ]);
}
