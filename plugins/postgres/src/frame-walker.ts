import { PosternError } from '@postern/plugin-sdk';

/** What to do with a frame, by its type. A type without a rule is a violation of the protocol. */
export const rule = { refuse: 0, skip: 1, count: 2, take: 3 } as const;
export type Rule = (typeof rule)[keyof typeof rule];

/** One gigabyte, as PostgreSQL itself allows. */
export const maxFrame = 0x3fff_ffff;

export interface FrameRule {
  readonly rule: Rule;
  /** Longest body. */
  readonly limit: number;
}

/** The rules as tables, so that a frame that nobody wants costs a look-up and an addition. */
export class FrameRules {
  readonly rules = new Uint8Array(256);
  readonly limits = new Int32Array(256);

  constructor(rules: Readonly<Record<string, FrameRule>>) {
    for (const [type, { rule, limit }] of Object.entries(rules)) {
      this.rules[type.charCodeAt(0)] = rule;
      this.limits[type.charCodeAt(0)] = limit + 4;
    }
  }
}

/**
 * Follows the frames `Byte1 type, Int32 length, body` through chunks that begin
 * and end anywhere. Bodies that are skipped are never looked at; bodies that
 * are taken are handed over whole up to `holds` bytes, and longer ones as their
 * first `holds` bytes, after every piece of them was shown. What is handed over
 * is a view that must be copied to be kept.
 */
export abstract class FrameWalker {
  /** Bytes of bodies under the rule `count`. */
  counted = 0;
  /** Bytes of the current body that have not arrived. */
  #left = 0;
  readonly #header = Buffer.alloc(5);
  #headerLength = 0;
  #type = 0;
  #length = 0;
  /** Room for the body that is being taken, or undefined while one is skipped. */
  #body: Buffer | undefined;
  #filled = 0;
  readonly #rules: Uint8Array;
  readonly #limits: Int32Array;

  constructor(
    rules: FrameRules,
    private readonly holds: number,
  ) {
    this.#rules = rules.rules;
    this.#limits = rules.limits;
  }

  /** A frame under the rule `take`. `length` is that of the whole body, of which `body` may be the beginning. */
  protected abstract frame(type: number, body: Buffer, length: number): void;

  /** A piece of a body that is too long to be handed over whole, `at` bytes from its beginning. */
  protected abstract piece(type: number, piece: Buffer, at: number): void;

  /** Bytes until the frame ends that has begun: 0 between frames, undefined within a header. */
  get remaining(): number | undefined {
    return this.#headerLength > 0 ? undefined : this.#left;
  }

  /** Walks over a chunk. Throws `protocol_violation`; the walker must not be used after that. */
  protected walk(chunk: Buffer): void {
    let at = this.#left > 0 ? this.#resume(chunk, 0) : 0;
    if (this.#headerLength > 0) at = this.#completeHeader(chunk, at);
    const end = chunk.length;
    while (end - at >= 5) {
      const type = chunk[at] as number;
      const length = int32At(chunk, at + 1);
      if (this.#rules[type] === rule.skip && length >= 4 && length <= (this.#limits[type] as number)) at += length + 1;
      else at = this.#begin(type, length, chunk, at + 5);
    }
    if (at > end) this.#left = at - end;
    else if (at < end) this.#headerLength = chunk.copy(this.#header, 0, at);
  }

  #completeHeader(chunk: Buffer, at: number): number {
    const copied = chunk.copy(this.#header, this.#headerLength, at, at + 5 - this.#headerLength);
    this.#headerLength += copied;
    if (this.#headerLength < 5) return at + copied;
    this.#headerLength = 0;
    return this.#begin(this.#header[0] as number, int32At(this.#header, 1), chunk, at + copied);
  }

  /** Begins a body at `at` and returns where the next frame begins, which may lie behind the chunk. */
  #begin(type: number, length: number, chunk: Buffer, at: number): number {
    const what = this.#rules[type];
    if (what === rule.refuse) throw violation(`invalid frontend or backend message type ${type}`);
    if (length < 4 || length > (this.#limits[type] as number)) throw violation(`invalid message length ${length}`);
    const size = length - 4;
    if (what === rule.count) this.counted += size;
    if (what !== rule.take) return at + size;
    if (size <= this.holds && at + size <= chunk.length) {
      this.frame(type, size === 0 ? empty : chunk.subarray(at, at + size), size);
      return at + size;
    }
    this.#type = type;
    this.#length = this.#left = size;
    this.#filled = 0;
    this.#body = Buffer.allocUnsafe(Math.min(size, this.holds));
    const resumed = this.#resume(chunk, at);
    return resumed + this.#left;
  }

  /** Goes on with the body that began earlier, and returns where it stopped. */
  #resume(chunk: Buffer, from: number): number {
    const to = Math.min(chunk.length, from + this.#left);
    this.#left -= to - from;
    const body = this.#body;
    if (!body) return to;
    if (this.#length > body.length && to > from)
      this.piece(this.#type, chunk.subarray(from, to), this.#length - this.#left - (to - from));
    if (this.#filled < body.length) this.#filled += chunk.copy(body, this.#filled, from, to);
    if (this.#left > 0) return to;
    this.#body = undefined;
    this.frame(this.#type, body, this.#length);
    return to;
  }
}

const empty = Buffer.alloc(0);

const int32At = (buffer: Buffer, at: number): number =>
  ((buffer[at] as number) << 24) |
  ((buffer[at + 1] as number) << 16) |
  ((buffer[at + 2] as number) << 8) |
  (buffer[at + 3] as number);

const violation = (text: string): PosternError => PosternError.public('protocol_violation', text);
