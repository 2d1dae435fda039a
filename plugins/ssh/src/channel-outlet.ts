import { PosternError } from '@postern/plugin-sdk';
import type { ChannelInternals } from './ssh2-internals.js';
import type { Transport } from './transport.js';

/** OpenSSH's own limit; a client that allows more gains nothing. */
const maximumData = 32 * 1024;
const stderr = 1;

interface Item {
  readonly data: Buffer;
  readonly error: boolean;
  readonly done: (cause?: Error) => void;
  sent: number;
}

/**
 * Sends what one channel has to say, within the client's window and the
 * connection's back-pressure. It stands in for the writable half of ssh2's
 * channel, which hangs for ever on a packet size of zero, repeats old output
 * where both output and errors wait for a window, and fills the memory when
 * the client opens a huge window and reads nothing.
 */
export class ChannelOutlet {
  readonly #queue: Item[] = [];
  #waiting = false;
  #closed = false;

  constructor(
    private readonly transport: Transport,
    private readonly channel: ChannelInternals,
  ) {}

  /** Queues data for the client's standard output or error; `done` is called once it was sent, or cannot be. */
  send(data: Buffer, error: boolean, done: (cause?: Error) => void): void {
    if (this.#closed) return done(closedError());
    this.#queue.push({ data, error, done, sent: 0 });
    this.flush();
  }

  /** Sends as much as is allowed now. */
  flush(): void {
    const { socket } = this.transport;
    // All packets in one system call.
    socket.cork();
    try {
      this.#sendParts();
    } finally {
      socket.uncork();
    }
  }

  /** Gives up what was not sent. */
  close(): void {
    this.#closed = true;
    for (const item of this.#queue.splice(0)) item.done(closedError());
  }

  #sendParts(): void {
    for (let item = this.#queue[0]; item && !this.#closed && !this.#mustWait(); item = this.#queue[0]) {
      if (item.sent < item.data.length && !this.#sendPart(item)) return;
      if (item.sent < item.data.length) continue;
      this.#queue.shift();
      item.done();
    }
  }

  #mustWait(): boolean {
    if (!this.transport.congested) return false;
    if (!this.#waiting) {
      this.#waiting = true;
      this.transport.whenRelieved(() => {
        this.#waiting = false;
        this.flush();
      });
    }
    return true;
  }

  /** False where the client's window is used up. */
  #sendPart(item: Item): boolean {
    const { outgoing } = this.channel;
    const room = Math.min(outgoing.window, outgoing.packetSize, maximumData);
    if (room <= 0 || outgoing.state !== 'open' || !this.transport.alive) return false;
    const part = item.data.subarray(item.sent, item.sent + room);
    this.transport.count(part.length);
    outgoing.window -= part.length;
    item.sent += part.length;
    const protocol = this.transport.inside._protocol;
    if (item.error) protocol.channelExtData(outgoing.id, part, stderr);
    else protocol.channelData(outgoing.id, part);
    return true;
  }
}

const closedError = (): Error => new PosternError('aborted', 'the channel is closed');
