import { Socket, type OnReadOpts, type SocketConstructorOpts } from 'node:net';
import { Readable } from 'node:stream';

/** As much as a pipe of Linux holds. */
const pieceBytes = 64 * 1024;

/**
 * What a program writes into a pipe. Node would take fresh memory for every
 * piece, and much of that makes V8 collect all of its garbage again and again;
 * here one piece of memory serves for as long as its reader gives it back.
 */
export class PipeOutput extends Readable {
  readonly #socket: Socket;
  #memory = Buffer.allocUnsafeSlow(pieceBytes);
  /** True while a reader may still hold what is in the memory. */
  #held = false;
  #over = false;

  /** Takes the reading end of a pipe over. */
  constructor(descriptor: number) {
    super({ highWaterMark: pieceBytes });
    const onread: OnReadOpts = { buffer: () => this.#nextMemory(), callback: (bytes) => this.#onData(bytes) };
    // The types for Node 20 lack what its documentation has.
    const options: SocketConstructorOpts & { readonly onread: OnReadOpts } = {
      fd: descriptor,
      writable: false,
      onread,
    };
    this.#socket = new Socket({ ...options, readable: true });
    this.#socket.on('error', (cause) => this.destroy(cause));
    this.#socket.once('end', () => {
      this.#over = true;
      this.push(null);
    });
    this.#socket.once('close', () => {
      if (!this.#over) this.destroy();
    });
  }

  /** Says, before the listener for a piece returns, that nobody needs the piece any more. */
  recycle(piece: Buffer): void {
    if (piece.buffer === this.#memory.buffer) this.#held = false;
  }

  override _read(): void {
    this.#socket.resume();
  }

  override _destroy(cause: Error | null, done: (cause: Error | null) => void): void {
    this.#over = true;
    this.#socket.destroy();
    done(cause);
  }

  #onData(bytes: number): boolean {
    this.#held = true;
    return this.push(this.#memory.subarray(0, bytes));
  }

  #nextMemory(): Buffer {
    if (this.#held) this.#memory = Buffer.allocUnsafeSlow(pieceBytes);
    this.#held = false;
    return this.#memory;
  }
}
