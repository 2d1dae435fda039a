import { Abuse } from './abuse.js';
import type { RequestReplies } from './request-replies.js';
import { channelOf, type SessionInternals } from './ssh2-internals.js';
import type { Transport } from './transport.js';
import { message, openFailure, WireReader, WireWriter } from './wire.js';

const minimumPacketSize = 1024;
const largestWindow = 0xffff_ffff;
const maximumModes = 5 * 256 + 1;
const offered: ReadonlySet<string> = new Set(['session', 'direct-tcpip']);

type Next = (payload: Buffer) => unknown;

/** The guard's rules for messages 90 to 100. */
export class ChannelGuard {
  readonly #modes = new Map<number, Buffer>();

  constructor(
    private readonly transport: Transport,
    private readonly replies: RequestReplies,
    private readonly limit: number,
  ) {}

  takeModes(channel: number): Buffer {
    const modes = this.#modes.get(channel) ?? Buffer.alloc(0);
    this.#modes.delete(channel);
    return modes;
  }

  /** Hands a message to ssh2 unless it is refused here. Throws {@link Abuse}, or a RangeError for a short message. */
  pass(type: number, payload: Buffer, next: Next): void {
    switch (type) {
      case message.channelOpen:
        if (this.#mayOpen(payload)) next(payload);
        return;
      case message.channelOpenConfirmation:
        if (payload.readUInt32BE(13) < minimumPacketSize) throw new Abuse('the maximum packet size is too small');
        next(payload);
        return;
      case message.channelData:
        if (this.#fitsWindow(payload)) next(payload);
        return;
      case message.channelWindowAdjust:
        return this.#adjustWindow(payload, next);
      case message.channelClose:
        return this.#close(payload, next);
      case message.channelRequest:
        return this.#request(payload, next);
      default:
        next(payload);
    }
  }

  /** `string type | uint32 sender | uint32 window | uint32 maximum packet size | …` */
  #mayOpen(payload: Buffer): boolean {
    const reader = new WireReader(payload, 1);
    const type = reader.text();
    const sender = reader.uint32();
    reader.uint32();
    if (reader.uint32() < minimumPacketSize)
      return this.#refuse(sender, openFailure.shortage, 'the maximum packet size is too small');
    if (type === 'direct-streamlocal@openssh.com')
      return this.#refuse(sender, openFailure.prohibited, 'sockets of the file system are not forwarded, ports are');
    if (!offered.has(type)) return this.#refuse(sender, openFailure.unknownType, 'this kind of channel is not offered');
    if (this.transport.inside._chanMgr._count >= this.limit)
      return this.#refuse(sender, openFailure.shortage, 'too many channels are open');
    return true;
  }

  #refuse(sender: number, reason: number, text: string): false {
    const writer = new WireWriter().byte(message.channelOpenFailure).uint32(sender).uint32(reason);
    this.transport.send(writer.string(text).string('').end());
    return false;
  }

  /** Data for a channel that has a stream must fit its window; for any other it is dropped. */
  #fitsWindow(payload: Buffer): boolean {
    const channel = channelOf(this.transport.inside, payload.readUInt32BE(1));
    if (!channel) return false;
    if (payload.length - 9 > channel.incoming.window) throw new Abuse('data beyond the window');
    return true;
  }

  #adjustWindow(payload: Buffer, next: Next): void {
    const id = payload.readUInt32BE(1);
    const channel = channelOf(this.transport.inside, id);
    if (channel && channel.outgoing.window + payload.readUInt32BE(5) > largestWindow)
      throw new Abuse('a window beyond its largest size');
    next(payload);
    this.transport.windowOpened(id);
  }

  #close(payload: Buffer, next: Next): void {
    const id = payload.readUInt32BE(1);
    const { inside } = this.transport;
    const session = inside._chanMgr.get(id) as SessionInternals | undefined;
    next(payload);
    this.#modes.delete(id);
    this.replies.forget(id);
    this.transport.channelClosed(id);
    // ssh2 forgets to answer for, and to forget, a session in which nothing was started.
    if (session?._chanInfo && !session._channel) {
      inside._chanMgr.remove(id);
      this.transport.send(new WireWriter().byte(message.channelClose).uint32(session._chanInfo.outgoing.id).end());
    }
  }

  /** `uint32 recipient | string type | boolean want reply | …` */
  #request(payload: Buffer, next: Next): void {
    const reader = new WireReader(payload, 1);
    const channel = reader.uint32();
    const type = reader.text();
    const at = reader.offset;
    const wanted = reader.boolean();
    const request = type === 'pty-req' ? this.#withoutModes(channel, payload, reader) : payload;
    request[at] = 0;
    if (!this.replies.during(channel, wanted, () => next(request))) throw new Abuse('too many unanswered requests');
  }

  /**
   * `string TERM | uint32 columns | uint32 rows | uint32 width | uint32 height | string modes`
   *
   * ssh2 reads the modes from the wrong offset with an inverted table: they are
   * always lost, and the first one may be a fatal error.
   */
  #withoutModes(channel: number, payload: Buffer, reader: WireReader): Buffer {
    reader.string();
    for (let field = 0; field < 4; field += 1) reader.uint32();
    const at = reader.offset;
    const modes = reader.string();
    if (modes.length > maximumModes) throw new Abuse('too many terminal modes');
    this.#modes.set(channel, Buffer.from(modes));
    return Buffer.concat([payload.subarray(0, at), Buffer.alloc(4)]);
  }
}
