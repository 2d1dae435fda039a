import { PosternError } from '@postern/plugin-sdk';

/** @typedef {{ type: number, flags: number, body: Buffer }} Packet */

/** Control packets by their number (MQTT 5.0, section 2.1.2). */
export const type = {
  connect: 1,
  connack: 2,
  publish: 3,
  puback: 4,
  pubrec: 5,
  pubrel: 6,
  pubcomp: 7,
  subscribe: 8,
  suback: 9,
  unsubscribe: 10,
  pingreq: 12,
  disconnect: 14,
};

/**
 * The next packet; `undefined` where the stream ends before another begins.
 * @param {import('@postern/plugin-sdk').FrameReader} frames
 * @returns {Promise<Packet | undefined>}
 */
export async function readPacket(frames) {
  const head = await frames.head(1);
  if (!head) return undefined;
  let length = 0;
  for (let shift = 0; ; shift += 7) {
    if (shift > 21) throw malformed('a length has more than four bytes');
    const byte = (await frames.bytes(1))[0];
    length += (byte & 0x7f) << shift;
    if (byte < 0x80) break;
  }
  return { type: head[0] >> 4, flags: head[0] & 0x0f, body: await frames.bytes(length) };
}

/** @param {number} type @param {number} flags @param {...Buffer} parts */
export function packet(type, flags, ...parts) {
  const body = Buffer.concat(parts);
  return Buffer.concat([Buffer.of((type << 4) | flags), varint(body.length), body]);
}

/** @param {number} value */
export function varint(value) {
  const bytes = [];
  do bytes.push((value & 0x7f) | (value > 0x7f ? 0x80 : 0));
  while ((value >>>= 7) > 0);
  return Buffer.from(bytes);
}

/** A string, or binary data, behind its length. @param {string | Buffer} value */
export function field(value) {
  const bytes = Buffer.from(value);
  return Buffer.concat([Buffer.of(bytes.length >> 8, bytes.length & 0xff), bytes]);
}

/** The properties of a packet of version 5 that say why. @param {string} reason */
export function because(reason) {
  const property = Buffer.concat([Buffer.of(0x1f), field(reason.slice(0, 1000))]);
  return Buffer.concat([varint(property.length), property]);
}

const malformed = (/** @type {string} */ what) => PosternError.public('protocol_violation', what);
const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** Reads the fields of one packet in their order. Every length is checked. */
export class Fields {
  #at = 0;

  /** @param {Buffer} body */
  constructor(body) {
    this.body = body;
  }

  get done() {
    return this.#at >= this.body.length;
  }

  /** All that has not been read. */
  get rest() {
    return this.body.subarray(this.#at);
  }

  /** @param {number} length */
  bytes(length) {
    if (this.#at + length > this.body.length) throw malformed('a field is longer than its packet');
    return this.body.subarray(this.#at, (this.#at += length));
  }

  byte() {
    return this.bytes(1)[0];
  }

  word() {
    return this.bytes(2).readUInt16BE();
  }

  binary() {
    return this.bytes(this.word());
  }

  text() {
    const bytes = this.binary();
    try {
      return utf8.decode(bytes);
    } catch {
      throw malformed('a text is not UTF-8');
    }
  }

  /** The properties of version 5, with their length. */
  properties() {
    const began = this.#at;
    let length = 0;
    for (let shift = 0, more = true; more; shift += 7) {
      if (shift > 21) throw malformed('a length has more than four bytes');
      const byte = this.byte();
      length += (byte & 0x7f) << shift;
      more = byte > 0x7f;
    }
    this.bytes(length);
    return this.body.subarray(began, this.#at);
  }
}
