import { asBuffer, Cursor, Malformed, u32 } from './bytes.js';

/** Flags of a chunk (MS-RDPBCGR 2.2.6.1.1). */
export const chunkFlag = { first: 0x01, last: 0x02, packed: 0x0020_0000 } as const;

/** How much of a message one chunk holds. */
const chunkBytes = 1600;

/** A part of a message in a static channel. */
export interface Chunk {
  readonly flags: number;
  /** Of the whole message. */
  readonly length: number;
  readonly data: Buffer;
}

/** Reads a chunk: length u32 | flags u32 | data. Compressed ones were not agreed on, and are malformed. */
export function readChunk(payload: Uint8Array): Chunk {
  const cursor = new Cursor(payload);
  const length = cursor.u32();
  const flags = cursor.u32();
  if (flags & chunkFlag.packed) throw new Malformed('a compressed channel, where nobody offered to read it');
  return { flags, length, data: asBuffer(cursor.rest()) };
}

/** A whole message in as many chunks as it needs. */
export function chunksOf(message: Buffer, extraFlags = 0): Buffer[] {
  const count = Math.max(1, Math.ceil(message.length / chunkBytes));
  return Array.from({ length: count }, (_, index) => {
    const ends = (index === 0 ? chunkFlag.first : 0) | (index === count - 1 ? chunkFlag.last : 0);
    const data = message.subarray(index * chunkBytes, (index + 1) * chunkBytes);
    return Buffer.concat([u32(message.length), u32(ends | extraFlags), data]);
  });
}
