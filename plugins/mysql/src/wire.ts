import { PosternError, type FrameReader } from '@postern/plugin-sdk';

/** A payload of this length is continued by the next packet. */
export const maxPayload = 0xff_ffff;

/** One packet (MySQL, "MySQL Packets"). */
export interface Packet {
  readonly sequence: number;
  readonly payload: Buffer;
}

/** Frames a payload shorter than 16 MB. */
export function encodePacket(sequence: number, payload: Buffer): Buffer {
  const head = Buffer.alloc(4);
  head.writeUIntLE(payload.length, 0, 3);
  head[3] = sequence & 0xff;
  return Buffer.concat([head, payload]);
}

/** Reads one packet of a login. Longer ones than the reader's limit are refused by the reader. */
export async function readPacket(reader: FrameReader): Promise<Packet> {
  const head = await reader.bytes(4);
  const sequence = head[3] ?? 0;
  return { sequence, payload: Buffer.from(await reader.bytes(head.readUIntLE(0, 3))) };
}

/** An error packet: number and SQL state as MySQL has them, and words. */
export function errorPayload({ number, state, message }: ServerError): Buffer {
  const head = Buffer.from([0xff, number & 0xff, number >> 8]);
  return Buffer.concat([head, Buffer.from(`#${state}${message}`)]);
}

export interface ServerError {
  readonly number: number;
  /** Five characters. */
  readonly state: string;
  readonly message: string;
}

/** Before the login is over servers leave the state out. */
export function parseError(payload: Buffer): ServerError {
  const number = payload.length >= 3 ? payload.readUInt16LE(1) : 0;
  const marked = payload[3] === 0x23;
  return {
    number,
    state: marked ? payload.toString('latin1', 4, 9) : 'HY000',
    message: payload.toString('utf8', marked ? 9 : 3),
  };
}

/** An OK packet that says nothing more: autocommit, no warnings. */
export const okPayload = Buffer.from([0, 0, 0, 2, 0, 0, 0]);

/** A length-encoded integer. */
export function lengthEncoded(value: number): Buffer {
  if (value < 251) return Buffer.from([value]);
  const size = value < 1 << 16 ? 2 : value < 1 << 24 ? 3 : 8;
  const data = Buffer.alloc(1 + size);
  data[0] = size === 2 ? 0xfc : size === 3 ? 0xfd : 0xfe;
  if (size === 8) data.writeBigUInt64LE(BigInt(value), 1);
  else data.writeUIntLE(value, 1, size);
  return data;
}

/** Reads the fields of a payload in their order. Whatever lies behind the end is `protocol_violation`. */
export class PayloadReader {
  at = 0;

  constructor(readonly payload: Buffer) {}

  get left(): number {
    return this.payload.length - this.at;
  }

  bytes(count: number): Buffer {
    if (count < 0 || count > this.left) throw malformed();
    this.at += count;
    return this.payload.subarray(this.at - count, this.at);
  }

  /** Little-endian. */
  uint(size: 1 | 2 | 3 | 4): number {
    return this.bytes(size).readUIntLE(0, size);
  }

  /** A length-encoded integer; `null` for the NULL of a row. */
  length(): number | null {
    const first = this.uint(1);
    if (first < 0xfb) return first;
    if (first === 0xfb) return null;
    if (first === 0xfc) return this.uint(2);
    if (first === 0xfd) return this.uint(3);
    if (first === 0xff) throw malformed();
    const value = this.bytes(8).readBigUInt64LE(0);
    if (value > BigInt(Number.MAX_SAFE_INTEGER)) throw malformed();
    return Number(value);
  }

  /** Up to a NUL, which is consumed. */
  terminated(): Buffer {
    const end = this.payload.indexOf(0, this.at);
    if (end < 0) throw malformed();
    const text = this.bytes(end - this.at);
    this.at++;
    return text;
  }

  /** Up to a NUL or the end: some senders forget the last NUL. */
  loose(): Buffer {
    const end = this.payload.indexOf(0, this.at);
    return end < 0 ? this.bytes(this.left) : this.terminated();
  }
}

export const malformed = (): PosternError => PosternError.public('protocol_violation', 'malformed packet');
