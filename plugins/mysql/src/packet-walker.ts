import { maxPayload } from './wire.js';

/** A payload that has ended, as far as it was kept. */
export interface SeenPayload {
  /** The first bytes. Belongs to the chunk: copy what is needed later. */
  readonly head: Buffer;
  /** Of the whole payload, over all of its packets. */
  readonly length: number;
  /** Of its first packet. */
  readonly sequence: number;
  /** Just behind it in the chunk. */
  readonly at: number;
}

/**
 * Follows the packets of one direction, wherever chunks begin and end. Payloads
 * of 16 MB and more go over several packets and are seen as one. Keeps the
 * first `keepBytes` of each and skips the rest.
 */
export class PacketWalker {
  readonly #header = Buffer.alloc(4);
  #headerBytes = 0;
  #left = 0;
  #continues = false;
  #sequence = 0;
  #length = 0;
  #kept: Buffer[] = [];
  #keptBytes = 0;
  /** In the middle of a packet, its header included. */
  #inside = false;

  constructor(private readonly keepBytes: number) {}

  /** True between two payloads. */
  get idle(): boolean {
    return !this.#inside && !this.#continues && this.#headerBytes === 0;
  }

  /** Reads on from `at`. `undefined` where no payload ends in the rest of the chunk. */
  next(chunk: Buffer, at: number): SeenPayload | undefined {
    for (let position = at; ;) {
      if (!this.#inside) {
        position = this.#readHeader(chunk, position);
        if (!this.#inside) return undefined;
      }
      const end = Math.min(chunk.length, position + this.#left);
      this.#keep(chunk, position, end);
      this.#left -= end - position;
      position = end;
      if (this.#left > 0) return undefined;
      this.#inside = false;
      if (!this.#continues) return this.#complete(position);
    }
  }

  #readHeader(chunk: Buffer, from: number): number {
    const end = Math.min(chunk.length, from + 4 - this.#headerBytes);
    chunk.copy(this.#header, this.#headerBytes, from, end);
    this.#headerBytes += end - from;
    if (this.#headerBytes < 4) return end;
    this.#headerBytes = 0;
    this.#inside = true;
    this.#left = this.#header.readUIntLE(0, 3);
    if (!this.#continues) {
      this.#sequence = this.#header[3] ?? 0;
      this.#length = 0;
      this.#kept = [];
      this.#keptBytes = 0;
    }
    this.#length += this.#left;
    this.#continues = this.#left === maxPayload;
    return end;
  }

  #keep(chunk: Buffer, from: number, end: number): void {
    const take = Math.min(end - from, this.keepBytes - this.#keptBytes);
    if (take <= 0) return;
    const part = chunk.subarray(from, from + take);
    this.#keptBytes += take;
    // What is not whole yet outlives its chunk.
    const whole = this.#left === end - from && !this.#continues;
    this.#kept.push(whole ? part : Buffer.from(part));
  }

  #complete(at: number): SeenPayload {
    const [only] = this.#kept;
    const head = this.#kept.length === 1 && only ? only : Buffer.concat(this.#kept);
    return { head, length: this.#length, sequence: this.#sequence, at };
  }
}
