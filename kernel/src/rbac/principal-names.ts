import { matchesPattern, parsePattern } from './pattern.js';

/** Whether one of these principals is this name. `*` in a principal stands for any characters. */
export const namesPrincipal = (principals: readonly string[], name: string): boolean =>
  principals.some((principal) => matchesPattern(parsePattern(principal), name));

/** The allowed names without those that a denied one matches, each once and in order. */
export function principalsWithin(allowed: readonly string[], denied: readonly string[]): readonly string[] {
  const patterns = [...new Set(denied)].map(parsePattern);
  return [...new Set(allowed)].filter((name) => !patterns.some((pattern) => matchesPattern(pattern, name))).sort();
}
