import { PosternError, type Hold } from '@postern/plugin-sdk';
import type { Channel, ChannelSink, FramingReader } from './channel.js';
import { both } from './journal.js';

/** By their number in `v4.channel.k8s.io` and `v5.channel.k8s.io`. 255 of v5 closes a channel. */
const channels: Readonly<Record<number, Channel>> = { 0: 'stdin', 1: 'stdout', 2: 'stderr', 3: 'error', 4: 'resize' };

const violation = (message: string): PosternError => new PosternError('protocol_violation', message);

/**
 * Follows the WebSocket frames of one direction (RFC 6455, section 5.2), whose
 * messages begin with the number of a channel. Keeps no payload.
 */
export class WebSocketReader implements FramingReader {
  #head = Buffer.alloc(0);
  #left = 0;
  #mask: Buffer | undefined;
  #at = 0;
  #control = false;
  #final = true;
  /** The message's channel: null before its number, undefined for one that nobody listens to. */
  #channel: Channel | null | undefined = null;
  #inPayload = false;

  constructor(
    private readonly masked: boolean,
    private readonly sink: ChannelSink,
  ) {}

  get between(): boolean {
    return !this.#inPayload && this.#head.length === 0 && this.#final;
  }

  take(chunk: Buffer): Hold {
    let hold: Hold = undefined;
    for (let at = 0; at < chunk.length || (this.#inPayload && this.#left === 0);) {
      if (!this.#inPayload) {
        at += this.#readHead(chunk, at);
        continue;
      }
      const end = Math.min(chunk.length, at + this.#left);
      hold = both(hold, this.#payload(chunk.subarray(at, end)));
      at = end;
    }
    return hold;
  }

  /** Takes what belongs to the frame's head, byte after byte since it is at most 14 long. */
  #readHead(chunk: Buffer, from: number): number {
    let at = from;
    while (at < chunk.length) {
      this.#head = Buffer.concat([this.#head, chunk.subarray(at, at + 1)]);
      at += 1;
      if (this.#head.length >= 2 && this.#head.length === headLength(this.#head)) {
        this.#begin();
        break;
      }
    }
    return at - from;
  }

  #begin(): void {
    const [first = 0, second = 0] = this.#head;
    const opcode = first & 0x0f;
    const masked = (second & 0x80) !== 0;
    if ((first & 0x70) !== 0) throw violation('a WebSocket frame has bits of an extension that nobody agreed on');
    if (masked !== this.masked) throw violation('a WebSocket frame is masked where it must not be, or the reverse');
    this.#control = opcode >= 8;
    this.#left = payloadLength(this.#head);
    if (this.#control && (this.#left > 125 || (first & 0x80) === 0))
      throw violation('a WebSocket control frame is too long or in parts');
    if (!this.#control) this.#beginData(opcode, (first & 0x80) !== 0);
    this.#mask = masked ? this.#head.subarray(-4) : undefined;
    this.#at = 0;
    this.#head = Buffer.alloc(0);
    this.#inPayload = true;
  }

  #beginData(opcode: number, final: boolean): void {
    if (opcode > 2) throw violation('a WebSocket frame has an unknown opcode');
    if ((opcode === 0) === this.#final) throw violation('the WebSocket frames of two messages are mixed');
    if (opcode !== 0) this.#channel = null;
    this.#final = final;
  }

  #payload(data: Buffer): Hold {
    this.#left -= data.length;
    const over = this.#left === 0;
    if (over) this.#inPayload = false;
    if (this.#control) return undefined;
    const clear = this.#unmask(data);
    const content = this.#channel === null ? this.#choose(clear) : clear;
    if (!this.#channel) return undefined;
    return this.sink(this.#channel, content, over && this.#final);
  }

  #choose(data: Buffer): Buffer {
    const [number] = data;
    if (number === undefined) return data;
    this.#channel = channels[number];
    return data.subarray(1);
  }

  #unmask(data: Buffer): Buffer {
    const mask = this.#mask;
    if (!mask) return data;
    const clear = Buffer.allocUnsafe(data.length);
    for (let n = 0; n < data.length; n += 1) clear[n] = (data[n] ?? 0) ^ (mask[(this.#at + n) & 3] ?? 0);
    this.#at += data.length;
    return clear;
  }
}

function headLength(head: Buffer): number {
  const second = head[1] ?? 0;
  const length = second & 0x7f;
  return 2 + (length === 126 ? 2 : length === 127 ? 8 : 0) + ((second & 0x80) === 0 ? 0 : 4);
}

function payloadLength(head: Buffer): number {
  const length = (head[1] ?? 0) & 0x7f;
  if (length === 126) return head.readUInt16BE(2);
  if (length < 126) return length;
  const long = head.readBigUInt64BE(2);
  if (long > BigInt(Number.MAX_SAFE_INTEGER)) throw violation('a WebSocket frame announces more than can be counted');
  return Number(long);
}

/** A whole message of the server's on one channel. */
export function serverMessage(channel: number, text: string): Buffer {
  const payload = Buffer.concat([Buffer.from([channel]), Buffer.from(text)]);
  const head =
    payload.length < 126
      ? Buffer.from([0x82, payload.length])
      : Buffer.from([0x82, 126, payload.length >> 8, payload.length & 0xff]);
  return Buffer.concat([head, payload]);
}

/** The server’s goodbye: close code 1000. With any other one clients do not look at what was said before. */
export const closeFrame = Buffer.from([0x88, 2, 0x03, 0xe8]);
