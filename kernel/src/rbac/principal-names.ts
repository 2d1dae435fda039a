import type { Allowed } from './decision.js';
import { matchesPattern, parsePattern } from './pattern.js';

/** Whether one of these principals is this name. `*` in a principal stands for any characters. */
export const namesPrincipal = (principals: readonly string[], name: string): boolean =>
  principals.some((principal) => matchesPattern(parsePattern(principal), name));

/**
 * Whether a decision lets its subject become this name. The test for whoever
 * signs: a role may allow `*` and another deny one name that the wildcard covers.
 */
export const mayBecome = ({ principals, excluded }: Pick<Allowed, 'principals' | 'excluded'>, name: string): boolean =>
  namesPrincipal(principals, name) && !namesPrincipal(excluded, name);

/** The allowed names without those that a denied one matches, each once and in order. */
export function principalsWithin(allowed: readonly string[], denied: readonly string[]): readonly string[] {
  const patterns = [...new Set(denied)].map(parsePattern);
  return [...new Set(allowed)].filter((name) => !patterns.some((pattern) => matchesPattern(pattern, name))).sort();
}
