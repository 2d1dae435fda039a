const strictText = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** Writes the data types of RFC 4251 section 5. */
export class WireWriter {
  readonly #parts: Uint8Array[] = [];

  raw(bytes: Uint8Array): this {
    this.#parts.push(bytes);
    return this;
  }

  uint32(value: number): this {
    const bytes = Buffer.alloc(4);
    bytes.writeUInt32BE(value);
    return this.raw(bytes);
  }

  uint64(value: bigint): this {
    const bytes = Buffer.alloc(8);
    bytes.writeBigUInt64BE(value);
    return this.raw(bytes);
  }

  /** `string`: four bytes of length, then the bytes. */
  string(value: string | Uint8Array): this {
    const bytes = typeof value === 'string' ? Buffer.from(value) : value;
    return this.uint32(bytes.length).raw(bytes);
  }

  /** A non-negative `mpint`: shortest form, with a zero byte where the sign bit would be set. */
  mpint(magnitude: Uint8Array): this {
    const start = magnitude.findIndex((byte) => byte !== 0);
    const digits = start < 0 ? Buffer.alloc(0) : Buffer.from(magnitude.subarray(start));
    const signed = (digits[0] ?? 0) >= 0x80;
    return this.string(signed ? Buffer.concat([Buffer.alloc(1), digits]) : digits);
  }

  end(): Buffer {
    return Buffer.concat(this.#parts);
  }
}

/** Reads the data types of RFC 4251 section 5 out of a buffer that it never leaves. Throws a RangeError. */
export class WireReader {
  readonly #bytes: Buffer;
  #at = 0;

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
  }

  get offset(): number {
    return this.#at;
  }

  get done(): boolean {
    return this.#at === this.#bytes.length;
  }

  uint32(): number {
    return this.#take(4).readUInt32BE();
  }

  uint64(): bigint {
    return this.#take(8).readBigUInt64BE();
  }

  string(): Buffer {
    return this.#take(this.uint32());
  }

  /** A `string` that must be UTF-8. */
  text(): string {
    return strictText.decode(this.string());
  }

  /** The magnitude of a non-negative `mpint` in its shortest form. */
  mpint(): Buffer {
    const bytes = this.string();
    const first = bytes[0] ?? 0;
    if (first >= 0x80) throw new RangeError('wire: negative number');
    if (bytes.length === 0 || first !== 0) return bytes;
    if ((bytes[1] ?? 0) < 0x80) throw new RangeError('wire: number not in its shortest form');
    return bytes.subarray(1);
  }

  end(): void {
    if (!this.done) throw new RangeError('wire: trailing bytes');
  }

  #take(count: number): Buffer {
    if (count > this.#bytes.length - this.#at) throw new RangeError('wire: truncated');
    const start = this.#at;
    this.#at += count;
    return this.#bytes.subarray(start, this.#at);
  }
}
