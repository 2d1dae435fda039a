/** The tags of X.690 that a certificate needs here. */
export const derTag = {
  boolean: 0x01,
  integer: 0x02,
  bitString: 0x03,
  octetString: 0x04,
  objectIdentifier: 0x06,
  utf8String: 0x0c,
  utcTime: 0x17,
  generalizedTime: 0x18,
  sequence: 0x30,
  set: 0x31,
} as const;

/** A context-specific, constructed tag (X.690 section 8.1.2). */
export const derContext = (number: number): number => 0xa0 | number;

/** One DER element: the tag, the length in its shortest form, and the contents joined. */
export function derElement(tag: number, ...contents: readonly Uint8Array[]): Buffer {
  const body = Buffer.concat(contents);
  if (body.length < 0x80) return Buffer.concat([Buffer.from([tag, body.length]), body]);
  const hex = body.length.toString(16);
  const length = Buffer.from(hex.padStart(hex.length + (hex.length % 2), '0'), 'hex');
  return Buffer.concat([Buffer.from([tag, 0x80 | length.length]), length, body]);
}

/** A number that is not negative, from its bytes: an INTEGER in its shortest form (X.690 section 8.3). */
export function derInteger(bytes: Buffer): Buffer {
  const first = bytes.findIndex((byte) => byte !== 0);
  const shortest = first < 0 ? Buffer.of(0) : bytes.subarray(first);
  return derElement(derTag.integer, ...((shortest[0] ?? 0) >= 0x80 ? [Buffer.of(0)] : []), shortest);
}

/** The contents of an OBJECT IDENTIFIER (X.690 section 8.19) whose arcs fit 31 bits. */
export function derObjectIdentifier(dotted: string): Buffer {
  const [first = 0, second = 0, ...rest] = dotted.split('.').map(Number);
  return Buffer.from([first * 40 + second, ...rest].flatMap(base128));
}

function base128(arc: number): number[] {
  const digits = [arc % 128];
  for (let left = Math.floor(arc / 128); left > 0; left = Math.floor(left / 128)) digits.unshift((left % 128) | 0x80);
  return digits;
}

/**
 * Reads DER, and nothing that is merely BER: definite lengths in their shortest
 * form, below 16 MiB, inside the buffer. Throws a RangeError otherwise.
 */
export class DerReader {
  readonly #bytes: Buffer;
  #at = 0;

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
  }

  get done(): boolean {
    return this.#at === this.#bytes.length;
  }

  /** The tag of the next element, or undefined at the end. */
  peek(): number | undefined {
    return this.#bytes[this.#at];
  }

  /** The contents of the next element, which must have this tag. */
  read(tag: number): Buffer {
    if (this.peek() !== tag) throw new RangeError(`DER: expected tag ${tag} at offset ${this.#at}`);
    return this.any().contents;
  }

  /** The next element, whatever it is; `encoded` includes its tag and length. */
  any(): { tag: number; contents: Buffer; encoded: Buffer } {
    const start = this.#at;
    const tag = this.#byte();
    const length = this.#length();
    if (length > this.#bytes.length - this.#at) throw new RangeError('DER: truncated');
    const contents = this.#bytes.subarray(this.#at, this.#at + length);
    this.#at += length;
    return { tag, contents, encoded: this.#bytes.subarray(start, this.#at) };
  }

  end(): void {
    if (!this.done) throw new RangeError('DER: trailing bytes');
  }

  #byte(): number {
    const value = this.#bytes[this.#at];
    if (value === undefined) throw new RangeError('DER: truncated');
    this.#at += 1;
    return value;
  }

  #length(): number {
    const first = this.#byte();
    if (first < 0x80) return first;
    const size = first & 0x7f;
    if (size === 0 || size > 3) throw new RangeError('DER: length out of range');
    let length = 0;
    for (let i = 0; i < size; i += 1) length = length * 256 + this.#byte();
    if (length < 0x80 || length < 256 ** (size - 1)) throw new RangeError('DER: length not in its shortest form');
    return length;
  }
}
