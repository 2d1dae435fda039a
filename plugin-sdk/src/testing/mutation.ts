/** Changes the chunks of one direction, the same way for the same seed. */
export function mutation(seed: number): (chunk: Buffer) => Buffer {
  let state = (seed * 2654435761) >>> 0;
  const random = (below: number): number => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return (state >>> 8) % Math.max(1, below);
  };
  /** Drops, changes or repeats a few bytes: a small, repeatable stand-in for a fuzzer. */
  return (chunk) => {
    const bytes = [...chunk.subarray(0, 65_536)];
    for (let edits = 1 + random(6); edits > 0 && bytes.length > 0; edits -= 1) {
      const at = random(bytes.length);
      if (random(3) === 0) bytes.splice(at, 1 + random(4));
      else if (random(2) === 0) bytes[at] = random(256);
      else bytes.splice(at, 0, ...bytes.slice(at, at + random(16)));
    }
    return Buffer.from(bytes);
  };
}
