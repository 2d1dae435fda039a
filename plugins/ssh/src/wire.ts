/** The numbers of the messages that this plugin reads or writes itself (RFC 4250, section 4.1.2). */
export const message = {
  disconnect: 1,
  ignore: 2,
  unimplemented: 3,
  debug: 4,
  serviceRequest: 5,
  extensionInfo: 7,
  keyExchangeInit: 20,
  authRequest: 50,
  authBanner: 53,
  globalRequest: 80,
  requestSuccess: 81,
  requestFailure: 82,
  channelOpen: 90,
  channelOpenConfirmation: 91,
  channelOpenFailure: 92,
  channelWindowAdjust: 93,
  channelData: 94,
  channelExtendedData: 95,
  channelEof: 96,
  channelClose: 97,
  channelRequest: 98,
  channelSuccess: 99,
  channelFailure: 100,
} as const;

/** Why a connection is ended (RFC 4253, section 11.1). */
export const disconnectReason = { protocolError: 2, byApplication: 11, noMoreAuthMethods: 14 } as const;

/** Why a channel is not opened (RFC 4254, section 5.1). */
export const openFailure = { prohibited: 1, connectFailed: 2, unknownType: 3, shortage: 4 } as const;

/** Reads the data types of RFC 4251, section 5. A value that is not all there throws a RangeError. */
export class WireReader {
  #offset: number;

  constructor(
    private readonly bytes: Buffer,
    offset = 0,
  ) {
    this.#offset = offset;
  }

  get offset(): number {
    return this.#offset;
  }

  get done(): boolean {
    return this.#offset === this.bytes.length;
  }

  byte(): number {
    return this.bytes.readUInt8(this.#advance(1));
  }

  boolean(): boolean {
    return this.byte() !== 0;
  }

  uint32(): number {
    return this.bytes.readUInt32BE(this.#advance(4));
  }

  uint64(): bigint {
    return this.bytes.readBigUInt64BE(this.#advance(8));
  }

  /** The bytes of a string: a view, not a copy. */
  string(): Buffer {
    const length = this.uint32();
    const start = this.#advance(length);
    return this.bytes.subarray(start, start + length);
  }

  /** A string as UTF-8, at most `limit` bytes long. */
  text(limit = 4096): string {
    const bytes = this.string();
    if (bytes.length > limit) throw new RangeError(`a text of ${bytes.length} bytes, ${limit} are allowed`);
    return bytes.toString('utf8');
  }

  rest(): Buffer {
    return this.bytes.subarray(this.#offset);
  }

  /** Throws unless everything was read. */
  end(): void {
    if (!this.done) throw new RangeError('bytes follow the last field');
  }

  #advance(count: number): number {
    const start = this.#offset;
    if (count > this.bytes.length - start) throw new RangeError('the message ends inside a field');
    this.#offset = start + count;
    return start;
  }
}

/** Writes the data types of RFC 4251, section 5. */
export class WireWriter {
  readonly #parts: Buffer[] = [];

  raw(bytes: Uint8Array): this {
    this.#parts.push(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length));
    return this;
  }

  byte(value: number): this {
    return this.raw(Buffer.of(value));
  }

  boolean(value: boolean): this {
    return this.byte(value ? 1 : 0);
  }

  uint32(value: number): this {
    const bytes = Buffer.allocUnsafe(4);
    bytes.writeUInt32BE(value);
    return this.raw(bytes);
  }

  uint64(value: bigint): this {
    const bytes = Buffer.allocUnsafe(8);
    bytes.writeBigUInt64BE(value);
    return this.raw(bytes);
  }

  string(value: string | Uint8Array): this {
    const bytes = typeof value === 'string' ? Buffer.from(value, 'utf8') : value;
    return this.uint32(bytes.length).raw(bytes);
  }

  /** A positive integer from its big-endian bytes, in the shortest form that keeps it positive. */
  mpint(bytes: Buffer): this {
    const significant = withoutLeadingZeros(bytes);
    const negative = (significant[0] ?? 0) >= 0x80;
    return this.string(negative ? Buffer.concat([Buffer.of(0), significant]) : significant);
  }

  end(): Buffer {
    return Buffer.concat(this.#parts);
  }
}

export function withoutLeadingZeros(bytes: Buffer): Buffer {
  let start = 0;
  while (start < bytes.length && bytes[start] === 0) start += 1;
  return bytes.subarray(start);
}

/**
 * Text from one side for the other's terminal: one line, without control
 * characters, so that a name that somebody chose cannot move a cursor.
 */
export function plainLine(text: string): string {
  return text.replace(/[\p{C}\p{Zl}\p{Zp}]+/gu, ' ').slice(0, 1000);
}
