/** Bytes that are not what the protocol says: a lying length, a missing field, a value without a meaning. */
export class Malformed extends Error {
  override readonly name = 'Malformed';
}

/**
 * Reads numbers and slices one after the other, little-endian unless told
 * otherwise, and never past `end`: that throws {@link Malformed}. Slices share
 * memory with the bytes that they were cut from.
 */
export class Cursor {
  readonly #view: DataView;

  constructor(
    readonly bytes: Uint8Array,
    public at = 0,
    readonly end = bytes.length,
  ) {
    if (at < 0 || at > end || end > bytes.length) throw new Malformed('a part lies outside of its whole');
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  get left(): number {
    return this.end - this.at;
  }

  u8(): number {
    return this.#view.getUint8(this.#step(1));
  }

  u16(): number {
    return this.#view.getUint16(this.#step(2), true);
  }

  u24(): number {
    const at = this.#step(3);
    return this.#view.getUint16(at, true) | (this.#view.getUint8(at + 2) << 16);
  }

  u32(): number {
    return this.#view.getUint32(this.#step(4), true);
  }

  u16be(): number {
    return this.#view.getUint16(this.#step(2), false);
  }

  take(count: number): Uint8Array {
    const at = this.#step(count);
    return this.bytes.subarray(at, at + count);
  }

  rest(): Uint8Array {
    return this.take(this.left);
  }

  skip(count: number): this {
    this.#step(count);
    return this;
  }

  #step(count: number): number {
    const { at } = this;
    if (!Number.isSafeInteger(count) || count < 0 || count > this.end - at)
      throw new Malformed(`${count} bytes are announced where ${this.end - at} are left`);
    this.at = at + count;
    return at;
  }
}

/** The same memory as a Node.js buffer, for its methods. */
export const asBuffer = (bytes: Uint8Array): Buffer => Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);

export const u16 = (value: number): Buffer => {
  const bytes = Buffer.alloc(2);
  bytes.writeUInt16LE(value);
  return bytes;
};

export const u32 = (value: number): Buffer => {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(value >>> 0);
  return bytes;
};

export const u16be = (value: number): Buffer => {
  const bytes = Buffer.alloc(2);
  bytes.writeUInt16BE(value);
  return bytes;
};
