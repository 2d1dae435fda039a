import type { Duplex } from 'node:stream';
import { FrameReader, write, type Opening } from '@postern/plugin-sdk';

/** The first bytes of a connection, as the public port of a proxy hands them to a plugin. */
export class TestOpening implements Opening {
  readonly #reader: FrameReader;
  /** What was read to recognise the protocol, and is still to be read by it. */
  #unread = Buffer.alloc(0);

  constructor(private readonly socket: Duplex) {
    this.#reader = new FrameReader(socket, 65_536);
  }

  /** The first `count` bytes, which stay to be read: no second reader may come to a stream that can end meanwhile. */
  async look(count: number): Promise<Buffer> {
    this.#unread = Buffer.from(await this.#reader.bytes(count));
    return this.#unread;
  }

  async read(count: number): Promise<Buffer> {
    const kept = this.#unread.subarray(0, count);
    this.#unread = this.#unread.subarray(count);
    return kept.length === count ? kept : Buffer.concat([kept, await this.#reader.bytes(count - kept.length)]);
  }

  peek(): Buffer {
    return Buffer.concat([this.#unread, this.#reader.peek()]);
  }

  write(data: Buffer): Promise<void> {
    return write(this.socket, data);
  }

  /** Gives the socket on, with what was not read. */
  release(): void {
    const rest = Buffer.concat([this.#unread, this.#reader.release()]);
    if (rest.length > 0) this.socket.unshift(rest);
  }
}
