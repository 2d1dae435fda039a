import type { Path, Problem } from './problem.js';

const limits = { depth: 12, parts: 20_000, text: 4096 };

/**
 * What keeps a document from being read at all: a depth, a size or a text past
 * all use, or a key `__proto__`, which readers after this one would leave out
 * in silence and with it the condition that it stands for.
 */
export function boundsProblem(document: unknown): Problem | undefined {
  const count = { parts: 0 };
  return visit(document, [], count);
}

function visit(value: unknown, path: Path, count: { parts: number }): Problem | undefined {
  if (++count.parts > limits.parts) return { path: [], message: 'the document is too large' };
  if (typeof value === 'string' && value.length > limits.text)
    return { path, message: `a text is longer than ${limits.text} characters` };
  if (typeof value !== 'object' || value === null) return undefined;
  if (path.length >= limits.depth) return { path, message: `nested deeper than ${limits.depth} levels` };
  for (const [key, inner] of Object.entries(value)) {
    const here = [...path, Array.isArray(value) ? Number(key) : key];
    if (key === '__proto__') return { path: here, message: 'this key is reserved' };
    const problem = visit(inner, here, count);
    if (problem) return problem;
  }
  return undefined;
}
