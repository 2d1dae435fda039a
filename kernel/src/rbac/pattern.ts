/**
 * A text with wildcards, as the literal pieces between them: `web-*` is
 * `['web-', '']`. A text from outside enters as one piece and can bring no
 * wildcard with it.
 */
export type Pattern = readonly string[];

/** Reads `*` as "any characters, or none". There is nothing else to know: no escapes, no other signs. */
export const parsePattern = (text: string): Pattern => text.split('*');

/** A pattern that matches this text and no other, whatever the text contains. */
export const literal = (text: string): Pattern => [text];

/** One pattern after the other, with no wildcard between. */
export function concat(first: Pattern, second: Pattern): Pattern {
  const seam = (first.at(-1) ?? '') + (second[0] ?? '');
  return [...first.slice(0, -1), seam, ...second.slice(1)];
}

/** Whether the pattern matches the whole value. Goes over the value once: each piece is taken where it first occurs. */
export function matchesPattern(pattern: Pattern, value: string): boolean {
  const [first = '', ...others] = pattern;
  const last = others.pop();
  if (last === undefined) return value === first;
  if (!value.startsWith(first)) return false;
  let from = first.length;
  for (const piece of others) {
    const at = value.indexOf(piece, from);
    if (at < 0) return false;
    from = at + piece.length;
  }
  return value.length - last.length >= from && value.endsWith(last);
}
