import { Cursor } from './bytes.js';
import { chunkFlag, readChunk } from './virtual-channel.js';

/** Messages that carry content (MS-RDPECLIP 2.2.1). */
const contents: Readonly<Record<number, 'data' | 'file'>> = { 5: 'data', 9: 'file' };

/** What a chunk in the static channel `cliprdr` begins to carry, if it is content. */
export function clipboardContent(payload: Uint8Array): { kind: 'data' | 'file'; bytes: number } | undefined {
  const { flags, data } = readChunk(payload);
  if ((flags & chunkFlag.first) === 0 || data.length < 8) return undefined;
  const cursor = new Cursor(data);
  const kind = contents[cursor.u16()];
  return kind && { kind, bytes: cursor.skip(2).u32() };
}
