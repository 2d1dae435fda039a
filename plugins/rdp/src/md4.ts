/** The order in which each of the three rounds takes the words of a block (RFC 1320, section 3.4). */
const words = [
  [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15],
  [0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15],
  [0, 8, 4, 12, 2, 10, 6, 14, 1, 9, 5, 13, 3, 11, 7, 15],
] as const;

const shifts = [
  [3, 7, 11, 19],
  [3, 5, 9, 13],
  [3, 9, 11, 15],
] as const;

const constants = [0, 0x5a82_7999, 0x6ed9_eba1] as const;

const mix = [
  (b: number, c: number, d: number): number => (b & c) | (~b & d),
  (b: number, c: number, d: number): number => (b & c) | (b & d) | (c & d),
  (b: number, c: number, d: number): number => b ^ c ^ d,
] as const;

type State = [number, number, number, number];

/**
 * MD4 (RFC 1320), by which Windows keeps passwords. Broken as a hash, and gone
 * from OpenSSL 3; for NTLM there is no other.
 */
export function md4(message: Buffer): Buffer {
  const padded = Buffer.alloc((((message.length + 8) >> 6) + 1) * 64);
  message.copy(padded);
  padded[message.length] = 0x80;
  padded.writeBigUInt64LE(BigInt(message.length) * 8n, padded.length - 8);
  let state: State = [0x6745_2301, 0xefcd_ab89 | 0, 0x98ba_dcfe | 0, 0x1032_5476];
  for (let at = 0; at < padded.length; at += 64) state = digest(state, padded.subarray(at, at + 64));
  const hash = Buffer.alloc(16);
  state.forEach((word, index) => hash.writeInt32LE(word, index * 4));
  return hash;
}

function digest(state: State, block: Buffer): State {
  let [a, b, c, d] = state;
  for (const round of [0, 1, 2] as const)
    for (let step = 0; step < 16; step += 1) {
      const word = block.readInt32LE((words[round][step] ?? 0) * 4);
      const sum = (a + mix[round](b, c, d) + word + constants[round]) | 0;
      [a, d, c, b] = [d, c, b, rotate(sum, shifts[round][step & 3] ?? 0)];
    }
  return [(a + state[0]) | 0, (b + state[1]) | 0, (c + state[2]) | 0, (d + state[3]) | 0];
}

const rotate = (value: number, by: number): number => (value << by) | (value >>> (32 - by));
