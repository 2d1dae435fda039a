import { createHash } from 'node:crypto';

/** Follows the frames of one direction of a WebSocket (RFC 6455, section 5.2) as far as to know where one ends. */
export class FrameTracker {
  #head = Buffer.alloc(0);
  #left = 0;
  #broken = false;

  /** True where a frame of ours could stand. False for good once the other side has sent what is no frame. */
  get between(): boolean {
    return !this.#broken && this.#left === 0 && this.#head.length === 0;
  }

  take(chunk: Buffer): void {
    for (let at = 0; at < chunk.length && !this.#broken;) {
      if (this.#left > 0) {
        const taken = Math.min(this.#left, chunk.length - at);
        this.#left -= taken;
        at += taken;
        continue;
      }
      const wanted = missing(this.#head);
      this.#head = Buffer.concat([this.#head, chunk.subarray(at, at + wanted)]);
      at += wanted;
      if (this.#head.length > 1 && missing(this.#head) === 0) this.#begin();
    }
  }

  #begin(): void {
    const length = payloadLength(this.#head);
    this.#head = Buffer.alloc(0);
    if (length === undefined) this.#broken = true;
    else this.#left = length;
  }
}

/** How many bytes a head lacks, as far as can be told. */
function missing(head: Buffer): number {
  if (head.length < 2) return 2 - head.length;
  const second = head[1] ?? 0;
  const length = second & 0x7f;
  const whole = 2 + (length === 126 ? 2 : length === 127 ? 8 : 0) + ((second & 0x80) === 0 ? 0 : 4);
  return whole - head.length;
}

function payloadLength(head: Buffer): number | undefined {
  const length = (head[1] ?? 0) & 0x7f;
  if (length < 126) return length;
  if (length === 126) return head.readUInt16BE(2);
  const long = head.readBigUInt64BE(2);
  return long > BigInt(Number.MAX_SAFE_INTEGER) ? undefined : Number(long);
}

/** A server's goodbye with a code and a reason, which is cut to what fits (RFC 6455, section 5.5.1). */
export function closeFrame(code: number, reason: string): Buffer {
  let text = Buffer.from(reason);
  // Whole characters only: half of one is no UTF-8.
  for (let end = reason.length; text.length > 123; end -= 1) text = Buffer.from(reason.slice(0, end));
  const frame = Buffer.alloc(4);
  frame.writeUInt8(0x88, 0);
  frame.writeUInt8(2 + text.length, 1);
  frame.writeUInt16BE(code, 2);
  return Buffer.concat([frame, text]);
}

/** What a server must answer to a key (RFC 6455, section 4.2.2). */
export const acceptKey = (key: string): string =>
  createHash('sha1').update(`${key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest('base64');
