/** A few bytes dropped, changed or repeated, the same way for the same seed. */
export function damaged(whole: Buffer, seed: number): Buffer {
  let state = (seed * 2_654_435_761) >>> 0;
  const random = (below: number): number => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return (state >>> 8) % Math.max(1, below);
  };
  const bytes = [...whole];
  for (let edits = 1 + random(6); edits > 0; edits -= 1) {
    const at = random(bytes.length);
    if (random(3) === 0) bytes.splice(at, 1 + random(4));
    else if (random(2) === 0) bytes[at] = random(256);
    else bytes.splice(at, 0, ...bytes.slice(at, at + random(16)));
  }
  return Buffer.from(bytes);
}
