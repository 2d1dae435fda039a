/** Reads big-endian vectors of the TLS presentation language (RFC 8446, section 3) from a complete message. */
export class Cursor {
  #at = 0;

  constructor(private readonly data: Buffer) {}

  get left(): number {
    return this.data.length - this.#at;
  }

  u8(): number {
    return this.take(1).readUInt8(0);
  }

  u16(): number {
    return this.take(2).readUInt16BE(0);
  }

  /** The next `count` bytes, not copied. Throws a `RangeError` when there are fewer. */
  take(count: number): Buffer {
    if (count > this.left) throw new RangeError('a length points past the end');
    this.#at += count;
    return this.data.subarray(this.#at - count, this.#at);
  }

  /** A vector whose length of `width` bytes stands before it. */
  vector(width: 1 | 2): Cursor {
    return new Cursor(this.take(width === 1 ? this.u8() : this.u16()));
  }

  /** Throws a `RangeError` unless everything was read. */
  end(): void {
    if (this.left > 0) throw new RangeError('bytes follow where a structure ends');
  }
}
