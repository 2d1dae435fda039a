import { Duplex, Writable } from 'node:stream';
import { ChannelOutlet } from './channel-outlet.js';
import { SpentMemory } from './spent-memory.js';
import type { ChannelInternals } from './ssh2-internals.js';
import type { Transport } from './transport.js';
import { message, WireWriter } from './wire.js';

/** How a program ended: its status, or the name of a signal that SSH knows. */
export type ChannelExit = { readonly status: number } | { readonly signal: string };

const bufferedBytes = 128 * 1024;
/** What is around the data in a message, at most (RFC 4253, section 6; RFC 4254, section 5.2). */
const aroundData = 300;

/**
 * One channel as a stream of the usual kind: each direction ends on its own
 * (ssh2's server turns an end into an end and a close at once), a slow client
 * slows the writer, and `close` comes when the client closes the channel or
 * the connection goes away, however much of its input was not read.
 */
export class ChannelStream extends Duplex {
  /** What the client shows as error output. */
  readonly stderr: Writable;
  readonly #outlet: ChannelOutlet;
  readonly #spent = new SpentMemory();

  constructor(
    private readonly transport: Transport,
    private readonly channel: ChannelInternals,
  ) {
    super({ highWaterMark: bufferedBytes });
    this.#outlet = new ChannelOutlet(transport, channel);
    this.stderr = new Writable({
      highWaterMark: bufferedBytes,
      write: (data: Buffer, _, done) => this.#outlet.send(data, true, done),
    });
    this.stderr.on('error', () => {});
    this.on('error', () => {});
    channel.on('data', this.#onData);
    channel.once('end', () => this.push(null));
    transport.observe(channel.incoming.id, {
      windowOpened: () => this.#outlet.flush(),
      closed: () => this.destroy(),
    });
    if (!transport.alive) this.destroy();
  }

  /** Waits for everything that was written, says how the program ended, and closes the channel. */
  async conclude(exit: ChannelExit): Promise<void> {
    await Promise.all([flushed(this.stderr), flushed(this)]);
    if (this.destroyed) return;
    this.transport.send(exitMessage(this.channel.outgoing.id, exit));
    this.channel.eof();
    this.destroy();
  }

  /** Says that nobody needs a piece of the client's any more. Small ones share their memory with others, which is kept. */
  recycle(piece: Buffer): void {
    const whole = Buffer.from(piece.buffer);
    if (whole.length - piece.length > aroundData) return;
    this.#spent.add(whole);
    this.#spent.release();
  }

  override _read(): void {
    this.channel.resume();
  }

  override _write(data: Buffer, _: string, done: (cause?: Error) => void): void {
    this.#outlet.send(data, false, done);
  }

  /** A zero-length write has reached the head of the queue only when all data before it was sent. */
  override _final(done: (cause?: Error) => void): void {
    this.#outlet.send(Buffer.alloc(0), false, (cause) => {
      if (!cause && this.transport.alive) this.channel.eof();
      done(cause);
    });
  }

  override _destroy(cause: Error | null, done: (cause: Error | null) => void): void {
    this.#outlet.close();
    this.stderr.destroy();
    this.channel.off('data', this.#onData);
    // What still arrives for the closed channel is thrown away, so that it does not hold memory.
    this.channel.resume();
    if (this.transport.alive) this.channel.close();
    done(cause);
  }

  readonly #onData = (data: Buffer): void => {
    if (!this.push(data)) this.channel.pause();
  };
}

function flushed(stream: Writable): Promise<void> {
  if (stream.destroyed || stream.writableFinished) return Promise.resolve();
  return new Promise((resolve) => {
    const onClose = (): void => resolve();
    stream.once('close', onClose);
    stream.write(Buffer.alloc(0), () => {
      stream.off('close', onClose);
      resolve();
    });
  });
}

/** RFC 4254, section 6.10. */
function exitMessage(remote: number, exit: ChannelExit): Buffer {
  const writer = new WireWriter().byte(message.channelRequest).uint32(remote);
  if ('status' in exit) return writer.string('exit-status').boolean(false).uint32(exit.status).end();
  return writer.string('exit-signal').boolean(false).string(exit.signal).boolean(false).string('').string('').end();
}
