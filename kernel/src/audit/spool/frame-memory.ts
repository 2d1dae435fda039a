import { frameRoom, payloadOf, writeFrame } from './framing.js';

const pieceBytes = 256 * 1024;

export interface Frame {
  readonly payload: Buffer;
  /** Where the record ends in the bytes that are written together. */
  readonly end: number;
}

/** Records as they are written to a file. */
export interface Frames {
  readonly bytes: Buffer;
  readonly frames: readonly Frame[];
}

/**
 * Memory in which records are put together. It comes in large pieces; a piece
 * lives as long as somebody keeps a payload in it, and is never written anew.
 */
export class FrameMemory {
  #piece = Buffer.alloc(0);
  #used = 0;

  /** Puts records one behind the other. */
  put(payloads: readonly string[]): Frames {
    const start = this.#reserve(payloads);
    const frames = payloads.map((text) => {
      const end = writeFrame(this.#piece, this.#used, text);
      const payload = payloadOf(this.#piece, this.#used, end);
      this.#used = end;
      return { payload, end: end - start };
    });
    return { bytes: this.#piece.subarray(start, this.#used), frames };
  }

  /** Makes room and returns where it begins. */
  #reserve(payloads: readonly string[]): number {
    const room = payloads.reduce((sum, text) => sum + frameRoom(text), 0);
    if (this.#used + room > this.#piece.length) {
      this.#piece = Buffer.allocUnsafeSlow(Math.max(room, pieceBytes));
      this.#used = 0;
    }
    return this.#used;
  }
}
