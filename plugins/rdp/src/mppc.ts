import { Malformed } from './bytes.js';

/** Bits of the compression flags (MS-RDPBCGR 3.1.8.2.1); the lower four are the type. */
const packed = 0x20;
const atFront = 0x40;
const flushed = 0x80;

/** Types of compression that are understood: histories of 8 and of 64 kB. */
const types = { 0: 0x1fff, 1: 0xffff } as const;

/** Reads bits, the uppermost first. Past the end there are none, and callers ask `left` before. */
class Bits {
  #at = 0;
  #held = 0;
  #count = 0;

  constructor(private readonly bytes: Uint8Array) {}

  get left(): number {
    return (this.bytes.length - this.#at) * 8 + this.#count;
  }

  take(count: number): number {
    while (this.#count < count) {
      const next = this.bytes[this.#at];
      if (next === undefined) throw new Malformed('compressed data are cut off');
      this.#at += 1;
      this.#held = ((this.#held << 8) | next) & 0xff_ffff;
      this.#count += 8;
    }
    this.#count -= count;
    return (this.#held >>> this.#count) & ((1 << count) - 1);
  }
}

/**
 * Decompresses RDP 4.0 and 5.0 bulk compression (MPPC, RFC 2118 with the longer
 * history of MS-RDPBCGR 3.1.8.4.2). One instance follows one direction of one
 * connection, from its first packet on: packets refer to earlier ones.
 */
export class Mppc {
  readonly #history = new Uint8Array(0x1_0000);
  #position = 0;

  /** What a packet stands for; the packet itself where it is not compressed. A copy otherwise. */
  decompress(bytes: Uint8Array, flags: number): Uint8Array {
    const type = flags & 0x0f;
    if (type !== 0 && type !== 1) throw new Malformed(`compression of type ${type} is not understood`);
    if (flags & flushed) {
      this.#history.fill(0);
      this.#position = 0;
    }
    if (flags & atFront) this.#position = 0;
    if ((flags & packed) === 0) return bytes;
    const start = this.#position;
    const end = this.#unpack(new Bits(bytes), types[type]);
    this.#position = end;
    return this.#history.slice(start, end);
  }

  #unpack(bits: Bits, mask: number): number {
    const history = this.#history;
    let at = this.#position;
    const room = mask + 1;
    // Fewer than eight bits are padding: the shortest symbol has eight.
    while (bits.left >= 8) {
      if (at >= room) throw new Malformed('decompressed data leave the history');
      if (bits.take(1) === 0) history[at++] = bits.take(7);
      else if (bits.take(1) === 0) history[at++] = 0x80 | bits.take(7);
      else at = this.#copy({ at, room, mask }, copyOffset(bits, mask), matchLength(bits));
    }
    return at;
  }

  #copy({ at, room, mask }: { at: number; room: number; mask: number }, offset: number, length: number): number {
    if (at + length > room) throw new Malformed('decompressed data leave the history');
    const history = this.#history;
    // The source may overlap what is being written: that is how runs are coded.
    for (let from = (at - offset) & mask, end = at + length; at < end; at += 1, from = (from + 1) & mask)
      history[at] = history[from] ?? 0;
    return at;
  }
}

function copyOffset(bits: Bits, mask: number): number {
  if (mask === types[0]) {
    if (bits.take(1) === 0) return 320 + bits.take(13);
    return bits.take(1) === 0 ? 64 + bits.take(8) : bits.take(6);
  }
  if (bits.take(1) === 0) return 2368 + bits.take(16);
  if (bits.take(1) === 0) return 320 + bits.take(11);
  return bits.take(1) === 0 ? 64 + bits.take(8) : bits.take(6);
}

function matchLength(bits: Bits): number {
  if (bits.take(1) === 0) return 3;
  let digits = 2;
  while (bits.take(1) === 1) {
    digits += 1;
    if (digits > 15) throw new Malformed('a match of impossible length');
  }
  return (1 << digits) + bits.take(digits);
}
