import type { Duplex } from 'node:stream';
import { FrameReader, write, type Opening } from '@postern/plugin-sdk';

/** The first bytes of a connection, as the public port of a proxy hands them to a plugin. */
export class TestOpening implements Opening {
  readonly #reader: FrameReader;

  constructor(private readonly socket: Duplex) {
    this.#reader = new FrameReader(socket, 65_536);
  }

  read(count: number): Promise<Buffer> {
    return this.#reader.bytes(count);
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
