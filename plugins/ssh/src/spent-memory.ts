import { Socket } from 'node:net';
import type { Writable } from 'node:stream';
import { MessageChannel, type MessagePort } from 'node:worker_threads';

/** Smaller pieces are not worth the trouble. */
const leastBytes = 2048;
/** What is kept until it can be given back; the rest is left to the collector. */
const maximumPieces = 4;

/**
 * Gives memory back at once that nobody needs any more: a socket has written
 * it, or what came in it was read. V8 would do it when it collects garbage, and
 * much memory outside of its heap makes it collect all the time, the whole heap
 * of it. Whoever looks at a piece after its release finds it empty; the
 * operating system, if it still wrote from it, would find memory of somebody
 * else. So a caller must know that the writing is over.
 */
export class SpentMemory {
  #pieces: ArrayBuffer[] = [];
  #nowhere: MessagePort | undefined;
  #useless = false;

  /** Remembers a piece that nobody will need at the next release. Ignores one that shares its memory with others. */
  add(piece: Buffer): void {
    const { buffer } = piece;
    if (piece.length < leastBytes || piece.length !== buffer.byteLength || this.#useless) return;
    if (!(buffer instanceof ArrayBuffer) || this.#pieces.length >= maximumPieces) return;
    if (!this.#pieces.includes(buffer)) this.#pieces.push(buffer);
  }

  /** Nobody needs what was remembered. */
  release(): void {
    if (this.#pieces.length === 0) return;
    const pieces = this.#pieces;
    this.#pieces = [];
    try {
      // What is sent to a closed port is thrown away, and its memory with it.
      this.#nowhere ??= closedPort();
      this.#nowhere.postMessage(undefined, pieces);
    } catch {
      // A runtime whose memory cannot be given away: the collector does it.
      this.#useless = true;
    }
  }
}

/**
 * True of a socket itself: with nothing in its queue it has given everything to
 * the operating system. Other streams may hand on what they are given, or give
 * what they hand on, and keep it.
 */
export const isPlainSocket = (stream: Writable): boolean => stream.constructor === Socket;

function closedPort(): MessagePort {
  const { port1, port2 } = new MessageChannel();
  port1.close();
  port2.close();
  return port1;
}
