/** Frames in a row, and the offsets at which one ends. The same each time. */
export function* fuzzedFrames(
  count: number,
): Generator<{ readonly bytes: Buffer; readonly ends: ReadonlySet<number> }> {
  let state = 12_345;
  const random = (below: number): number => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return (state >>> 8) % below;
  };
  for (let round = 0; round < count; round += 1) {
    const frames = Array.from({ length: 1 + random(6) }, () =>
      frame(random([126, 700, 70_000][random(3)] ?? 1), random(2) === 1),
    );
    const ends = new Set<number>();
    frames.reduce((at, { length }) => (ends.add(at + length), at + length), 0);
    yield { bytes: Buffer.concat(frames), ends };
  }
}

function frame(length: number, masked: boolean): Buffer {
  const mask = masked ? 0x80 : 0;
  let head: Buffer;
  if (length < 126) head = Buffer.from([0x82, mask | length]);
  else if (length < 65_536) head = Buffer.from([0x82, mask | 126, length >> 8, length & 0xff]);
  else {
    head = Buffer.alloc(10);
    head.writeUInt16BE(0x8200 | mask | 127, 0);
    head.writeBigUInt64BE(BigInt(length), 2);
  }
  return Buffer.concat([head, Buffer.alloc(masked ? 4 : 0, 7), Buffer.alloc(length, 9)]);
}
