import type { Duplex } from 'node:stream';
import type { Endpoint } from '../protocol.js';
import { Passage } from './passage.js';

/** A connection to the resource, seen from its middle. */
export class DialledStream {
  /** What the session holds. */
  readonly stream: Passage;
  /** What it has written. */
  readonly sent: Buffer[] = [];
  /** Bytes that it has taken from the resource, read or waiting to be read. */
  received = 0;
  #gate = Promise.resolve();
  #open = (): void => {};

  constructor(
    readonly endpoint: Endpoint,
    private readonly resource: Duplex,
  ) {
    this.stream = new Passage(resource, {
      outward: (chunk) => this.#outward(chunk),
      inward: (chunk) => (this.received += chunk.length),
    });
  }

  /** From now on the resource reads nothing. */
  stall(): void {
    this.#gate = new Promise((resolve) => (this.#open = resolve));
  }

  /** Ends a stall. */
  flow(): void {
    this.#open();
  }

  /** The resource says that it has nothing more to say. */
  hangUp(): void {
    this.stream.hangUp();
  }

  /** The connection breaks. */
  break(): void {
    this.resource.destroy(Object.assign(new Error('read ECONNRESET'), { code: 'ECONNRESET' }));
  }

  async *#outward(chunk: Buffer): AsyncGenerator<Buffer> {
    this.sent.push(Buffer.from(chunk));
    await this.#gate;
    yield chunk;
  }
}
