import { PosternError, type Hold } from '@postern/plugin-sdk';
import type { Channel, ChannelSink, FramingReader } from './channel.js';
import { both } from './journal.js';
import { SpdyHeaders } from './spdy-headers.js';

const violation = (message: string): PosternError => new PosternError('protocol_violation', message);

const synStream = 1;
const synReply = 2;
const headers = 8;

/** Control frames are short here; data is never kept. */
const maxControl = 16_384;
const maxStreams = 16;

const known: ReadonlySet<string> = new Set(['stdin', 'stdout', 'stderr', 'error', 'resize']);

/** The streams of one connection, which the client opens and names, and the server accepts. Both directions look here. */
export class SpdyStreams {
  readonly #channels = new Map<number, Channel>();
  readonly #accepted = new Set<number>();
  readonly #ended = new Set<number>();

  open(id: number, type: string | undefined): void {
    if (this.#channels.size >= maxStreams) throw violation('a client opens more SPDY streams than a command has');
    if (this.#channels.has(id)) throw violation('a SPDY stream is opened twice');
    if (type === undefined || !known.has(type)) throw violation('a SPDY stream has no type that is known');
    this.#channels.set(id, type as Channel);
  }

  /** The server's SYN_REPLY. */
  accept(id: number): void {
    if (!this.#channels.has(id)) throw violation('the server accepts a SPDY stream that nobody has opened');
    if (this.#accepted.has(id)) throw violation('the server accepts a SPDY stream twice');
    this.#accepted.add(id);
  }

  /** The server's half of a stream is over: nothing can stand behind it. */
  end(id: number): void {
    this.#ended.add(id);
  }

  /** What data on this stream belongs to; a server says nothing on a stream before it has accepted it. */
  channel(id: number, from: 'client' | 'server'): Channel | undefined {
    return from === 'client' || this.#accepted.has(id) ? this.#channels.get(id) : undefined;
  }

  /**
   * The stream on which the server tells how a command ended, where a word of
   * ours can stand there: clients take none on a stream that the server has not
   * accepted, and only the server can accept it.
   */
  get errors(): number | undefined {
    const [id] = [...this.#channels].find(([, channel]) => channel === 'error') ?? [];
    return id !== undefined && this.#accepted.has(id) && !this.#ended.has(id) ? id : undefined;
  }
}

/** Follows the frames of one direction of SPDY/3.1 (draft-mbelshe-httpbis-spdy-00, section 2.2). */
export class SpdyReader implements FramingReader {
  #head = Buffer.alloc(0);
  #left = 0;
  #inFrame = false;
  /** The parts of a control frame; undefined in a data frame. */
  #control: Buffer[] | undefined;
  #channel: Channel | undefined;
  #final = false;
  readonly #headers = new SpdyHeaders();

  constructor(
    private readonly from: 'client' | 'server',
    private readonly streams: SpdyStreams,
    private readonly sink: ChannelSink,
  ) {}

  get between(): boolean {
    return !this.#inFrame && this.#head.length === 0;
  }

  take(chunk: Buffer): Hold {
    let hold: Hold = undefined;
    for (let at = 0; at < chunk.length || (this.#inFrame && this.#left === 0);) {
      if (!this.#inFrame) {
        const end = Math.min(chunk.length, at + 8 - this.#head.length);
        this.#head = Buffer.concat([this.#head, chunk.subarray(at, end)]);
        at = end;
        if (this.#head.length === 8) this.#begin(this.#head);
        continue;
      }
      const end = Math.min(chunk.length, at + this.#left);
      hold = both(hold, this.#payload(chunk.subarray(at, end)));
      at = end;
    }
    return hold;
  }

  #begin(head: Buffer): void {
    this.#inFrame = true;
    this.#left = head.readUIntBE(5, 3);
    this.#final = ((head[4] ?? 0) & 1) !== 0;
    const control = ((head[0] ?? 0) & 0x80) !== 0;
    this.#control = control ? [] : undefined;
    if (!control) {
      const id = head.readUInt32BE(0);
      this.#channel = this.streams.channel(id, this.from);
      if (!this.#channel) throw violation('SPDY data came on a stream that is not open');
      if (this.from === 'server' && this.#final) this.streams.end(id);
      return;
    }
    if (head.readUInt16BE(0) !== 0x8003) throw violation('a SPDY frame is not of version 3');
    if (this.#left > maxControl) throw violation('a SPDY control frame is too long');
  }

  #payload(data: Buffer): Hold {
    this.#left -= data.length;
    const over = this.#left === 0;
    const head = this.#head;
    if (over) {
      this.#inFrame = false;
      this.#head = Buffer.alloc(0);
    }
    if (!this.#control) return this.#channel && this.sink(this.#channel, data, over && this.#final);
    this.#control.push(Buffer.from(data));
    if (over) this.#controlled(head.readUInt16BE(2), Buffer.concat(this.#control));
  }

  /** Of what a client compresses everything must be unpacked, in order; the server's header blocks name nothing. */
  #controlled(type: number, body: Buffer): void {
    if (this.from === 'server') return this.#answered(type, body);
    if (type === synStream) {
      if (body.length < 10) throw violation('a SPDY stream is opened without its number');
      const named = this.#headers.next(body.subarray(10));
      this.streams.open(body.readUInt32BE(0) & 0x7fffffff, named.get('streamtype'));
    } else if (type === headers) {
      if (body.length < 4) throw violation('SPDY headers are on no stream');
      this.#headers.next(body.subarray(4));
    } else if (type === synReply) throw violation('the client answers a SPDY stream');
  }

  #answered(type: number, body: Buffer): void {
    if (type === synStream) throw violation('the server opens a SPDY stream');
    if (type !== synReply) return;
    if (body.length < 4) throw violation('a SPDY reply is to no stream');
    this.streams.accept(body.readUInt32BE(0) & 0x7fffffff);
  }
}

/** A data frame of the server's that ends its stream. */
export function dataFrame(stream: number, text: string): Buffer {
  const data = Buffer.from(text);
  const head = Buffer.alloc(8);
  head.writeUInt32BE(stream, 0);
  head.writeUInt8(1, 4);
  head.writeUIntBE(data.length, 5, 3);
  return Buffer.concat([head, data]);
}
