import { PosternError, relay, type Grant } from '@postern/plugin-sdk';
import type { ServerChannel, TcpipRequestInfo } from 'ssh2';
import { ChannelStream } from './channel-stream.js';
import { textFor, type Conversation } from './conversation.js';
import { destinationHost } from './forward-address.js';
import type { Ssh } from './protocol.js';
import type { ChannelInternals } from './ssh2-internals.js';
import { openFailure } from './wire.js';

/** What ssh2 gives with a request for a channel. */
export interface Opening {
  readonly accept: () => ServerChannel | undefined;
  readonly reject: () => void;
}

/**
 * Connects to destinations for one client (`-L`, `-D`, `-W`, `-J`). A role must
 * name the destination, and only the grant that comes of it can dial.
 */
export class Forwards {
  readonly #live = new Set<ChannelStream>();
  #count = 0;

  constructor(private readonly conversation: Conversation) {}

  /** Serves one request for a channel. Never rejects: the client is told why it has none. */
  async open(opening: Opening, { destIP, destPort }: TcpipRequestInfo): Promise<void> {
    try {
      const host = destinationHost(destIP);
      if (host === undefined || destPort < 1 || destPort > 65_535)
        throw PosternError.public('invalid_argument', 'the destination is neither a name nor an address');
      const destination = { host, port: destPort };
      const grant = await this.conversation.require('forward', destination);
      await this.#connect(grant, opening, destination);
    } catch (cause) {
      const { code } = PosternError.from(cause);
      const reason = code === 'upstream_unreachable' ? openFailure.connectFailed : openFailure.prohibited;
      this.conversation.connection.transport.refuseOpen(opening.reject, reason, textFor(cause));
    }
  }

  close(): void {
    for (const channel of this.#live) channel.destroy();
  }

  async #connect(grant: Grant<Ssh>, opening: Opening, destination: { host: string; port: number }): Promise<void> {
    const { audit, log } = this.conversation.context;
    const number = (this.#count += 1);
    const bytes = { sent: 0, received: 0 };
    await audit.emit('forward', { number, ...destination });
    try {
      await this.#carry(grant, opening, bytes);
      await audit.emit('forward_end', { number, ...bytes });
    } catch (cause) {
      const { code, message } = PosternError.from(cause);
      log.debug('a forwarded connection failed', { cause: message });
      await audit.emit('forward_end', { number, ...bytes, error: code });
      throw cause;
    }
  }

  async #carry(grant: Grant<Ssh>, opening: Opening, bytes: { sent: number; received: number }): Promise<void> {
    const { transport } = this.conversation.connection;
    const upstream = await grant.dial();
    const accepted = transport.alive ? opening.accept() : undefined;
    if (!accepted) return void upstream.destroy();
    const channel = new ChannelStream(transport, accepted as unknown as ChannelInternals);
    this.#live.add(channel);
    try {
      await relay(channel, upstream, {
        fromClient: (data) => void (bytes.sent += data.length),
        fromUpstream: (data) => void (bytes.received += data.length),
      });
    } finally {
      this.#live.delete(channel);
      channel.destroy();
      upstream.destroy();
    }
  }
}
