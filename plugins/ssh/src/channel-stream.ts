import { Duplex, Writable } from 'node:stream';
import { PosternError } from '@postern/plugin-sdk';
import { ChannelOutlet } from './channel-outlet.js';
import type { ChannelInternals } from './ssh2-internals.js';
import type { Transport } from './transport.js';

const bufferedBytes = 128 * 1024;

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

  /** The client's number of this channel. */
  get remote(): number {
    return this.channel.outgoing.id;
  }

  /** Waits for everything that was written, then says that no more follows and closes the channel. */
  async conclude(last?: () => void): Promise<void> {
    await Promise.all([flushed(this.stderr), flushed(this)]);
    if (this.destroyed) return;
    last?.();
    this.channel.eof();
    this.destroy();
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

/** What a write to a closed channel fails with, told apart from real failures. */
export const isClosed = (cause: unknown): boolean => PosternError.is(cause) && cause.code === 'aborted';
