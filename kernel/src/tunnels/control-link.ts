import { PosternError } from '@postern/plugin-sdk';
import type { Duplex } from 'node:stream';
import type { z } from 'zod';
import { maxFrameBytes } from './control-frames.js';

export interface KeepAlive {
  /** How often this side says that it is there. */
  readonly pingMs: number;
  /** After how long without a word the other side counts as gone. */
  readonly silenceMs: number;
}

export const keepAlive: KeepAlive = { pingMs: 15_000, silenceMs: 45_000 };

interface Frame {
  readonly type: string;
}

/** More than this waits to be sent only where the other side has stopped reading. */
const maxWaiting = 4 * 1024 * 1024;

/**
 * One end of a control connection: frames of one JSON object to a line, each of
 * at most {@link maxFrameBytes}, checked before anybody sees them. Both ends
 * ping; whichever hears nothing for too long closes.
 */
export class ControlLink<Received extends Frame, Sent extends Frame> {
  /** Resolves to the reason when the connection is over. */
  readonly closed: Promise<PosternError>;
  #close!: (reason: PosternError) => void;
  #over = false;
  #pending: Buffer[] = [];
  #pendingBytes = 0;
  #silence: NodeJS.Timeout;
  readonly #ping: NodeJS.Timeout;

  constructor(
    private readonly stream: Duplex,
    private readonly schema: z.ZodType<Received>,
    private readonly onFrame: (frame: Received) => void,
    times: KeepAlive = keepAlive,
  ) {
    this.closed = new Promise((resolve) => (this.#close = resolve));
    const silent = (): void => this.close(new PosternError('timeout', `nothing was heard for ${times.silenceMs} ms`));
    this.#silence = setTimeout(silent, times.silenceMs).unref();
    this.#ping = setInterval(() => this.#write({ type: 'ping' }), times.pingMs).unref();
    stream.on('error', (cause) => this.close(new PosternError('unavailable', cause.message, { cause })));
    stream.on('close', () => this.close(new PosternError('unavailable', 'the other side closed the connection')));
    stream.on('end', () => this.close(new PosternError('unavailable', 'the other side closed the connection')));
    stream.on('data', this.#onData);
  }

  /** False when the connection is over, or is being closed because the other side does not read. */
  send(frame: Sent): boolean {
    return this.#write(frame);
  }

  /** Closes, after `lastFrame` where there is one. Without effect when it is closed already. */
  close(reason: PosternError, lastFrame?: Sent): void {
    if (this.#over) return;
    if (lastFrame) this.#write(lastFrame);
    this.#over = true;
    clearTimeout(this.#silence);
    clearInterval(this.#ping);
    this.stream.off('data', this.#onData);
    this.stream.resume();
    this.stream.end();
    const timer = setTimeout(() => this.stream.destroy(), lastFrame ? 1000 : 0).unref();
    this.stream.once('close', () => clearTimeout(timer));
    this.#close(reason);
  }

  #write(frame: Sent | { readonly type: 'ping' }): boolean {
    if (this.#over || this.stream.destroyed) return false;
    this.stream.write(`${JSON.stringify(frame)}\n`);
    if (this.stream.writableLength <= maxWaiting) return true;
    this.close(new PosternError('unavailable', 'the other side does not read'));
    return false;
  }

  readonly #onData = (chunk: Buffer): void => {
    this.#silence.refresh();
    let from = 0;
    for (let end = chunk.indexOf(0x0a); end >= 0 && !this.#over; end = chunk.indexOf(0x0a, from)) {
      this.#keep(chunk.subarray(from, end));
      from = end + 1;
      this.#line();
    }
    this.#keep(chunk.subarray(from));
  };

  #keep(part: Buffer): void {
    if (this.#over) return;
    this.#pending.push(part);
    this.#pendingBytes += part.length;
    if (this.#pendingBytes > maxFrameBytes)
      this.close(new PosternError('limit_exceeded', `a frame of more than ${maxFrameBytes} bytes`));
  }

  #line(): void {
    if (this.#over) return;
    const line = Buffer.concat(this.#pending, this.#pendingBytes).toString('utf8');
    this.#pending = [];
    this.#pendingBytes = 0;
    try {
      const frame = this.schema.parse(JSON.parse(line));
      if (frame.type !== 'ping') this.onFrame(frame);
    } catch (cause) {
      this.close(new PosternError('protocol_violation', 'a frame that is not understood', { cause }));
    }
  }
}
