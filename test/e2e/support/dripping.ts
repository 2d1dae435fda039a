import type net from 'node:net';
import { Duplex } from 'node:stream';
import { setImmediate as turn } from 'node:timers/promises';

/** Gives on what is written byte by byte. */
export class Dripping extends Duplex {
  constructor(private readonly raw: net.Socket) {
    super();
    raw.on('data', (data) => this.push(data)).on('close', () => this.push(null));
  }

  override _read(): void {}

  override _write(data: Buffer, _: BufferEncoding, done: (error?: Error | null) => void): void {
    void this.#drip(data).then(() => done(), done);
  }

  override _destroy(cause: Error | null, done: (error?: Error | null) => void): void {
    this.raw.destroy();
    done(cause);
  }

  async #drip(data: Buffer): Promise<void> {
    for (const byte of data) {
      this.raw.write(Buffer.from([byte]));
      await turn();
    }
  }
}
