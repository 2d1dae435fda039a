/** Drops, changes or repeats a few bytes, the same ones for the same seed. */
export function mutated(text: string, seed: number): Buffer {
  let state = (seed * 2_654_435_761) >>> 0;
  const random = (below: number): number => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return (state >>> 8) % Math.max(1, below);
  };
  const bytes = [...Buffer.from(text, 'latin1')];
  for (let edits = 1 + random(3); edits > 0; edits -= 1) {
    const at = random(bytes.length);
    const kind = random(4);
    if (kind === 0) bytes.splice(at, 1 + random(4));
    else if (kind === 1) bytes[at] = random(256);
    else if (kind === 2) bytes.splice(at, 0, ...bytes.slice(at, at + random(16)));
    else bytes.splice(at, 0, ...Buffer.from(['\r\n', '\n', ' ', ':', '\0', ',', ';', '0'][random(8)] ?? ''));
  }
  return Buffer.from(bytes);
}
