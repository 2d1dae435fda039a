import type net from 'node:net';
import { FrameReader, write, type Opening } from '@postern/plugin-sdk';

/** The first bytes of a connection, as the public port of a proxy hands them to a plugin. */
export class TestOpening implements Opening {
  readonly #reader: FrameReader;

  constructor(private readonly socket: net.Socket) {
    this.#reader = new FrameReader(socket, 65_536);
  }

  read(count: number): Promise<Buffer> {
    return this.#reader.bytes(count);
  }

  /** Waits for bytes, and leaves them. */
  async wait(count: number): Promise<Buffer> {
    const bytes = Buffer.from(await this.#reader.bytes(count));
    this.release(bytes);
    return bytes;
  }

  peek(): Buffer {
    return this.#reader.peek();
  }

  write(data: Buffer): Promise<void> {
    return write(this.socket, data);
  }

  /** Gives the socket on, with what was not read, and `before` in front of it. */
  release(before = Buffer.alloc(0)): void {
    const rest = Buffer.concat([before, this.#reader.release()]);
    if (rest.length > 0) this.socket.unshift(rest);
  }
}
