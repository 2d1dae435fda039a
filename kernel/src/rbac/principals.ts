import type { Identity } from '@postern/plugin-sdk';
import type { CompiledEntry, Protocols, Roles } from './compile-role.js';
import { mergeOptions } from './options.js';
import { principalsWithin } from './principal-names.js';
import { carriedRoles, existingRoles } from './subject.js';
import type { Traits } from './template.js';

/** The user's half of an identity that is about to be certified. */
export type Grantee = Pick<Identity, 'roles' | 'traits'>;

/**
 * Whom a certificate lets its holder become, by protocol id: what the allowing
 * entries of the roles name on any resource, without what is denied on every
 * resource. An upper bound: each access is decided again. A protocol that names
 * no principals, or nobody here, is left out.
 */
export function principalsOf(
  grantee: Grantee,
  roles: Roles,
  protocols: Protocols,
): Readonly<Record<string, readonly string[]>> {
  const carried = existingRoles(carriedRoles(grantee), roles);
  if (carried.some(({ problem }) => problem !== undefined)) return {};
  const found: Record<string, readonly string[]> = {};
  for (const [id, { auth }] of protocols) {
    const named = (entries: readonly CompiledEntry[]): string[] =>
      entries.flatMap(({ access }) => namesIn(access, grantee.traits, (one) => auth.principals?.(one) ?? []));
    const denials = carried
      .flatMap((role) => role.deny.entries.get(id) ?? [])
      .filter(({ labels }) => labels.kind !== 'conditions' || labels.conditions.length === 0);
    if (denials.some(({ access }) => !access.hasKeys)) continue;
    const allowed = carried.flatMap((role) => role.allow.entries.get(id) ?? []);
    const usable = allowed.filter(({ labels }) => labels.kind === 'conditions');
    const names = principalsWithin(named(usable), named(denials));
    if (names.length > 0) found[id] = names;
  }
  return found;
}

/** How long a certificate of these roles lives when nothing is asked for, and at most. */
export function certificateLifetime(
  grantee: Pick<Grantee, 'roles'>,
  roles: Roles,
): { readonly defaultMs: number; readonly maximumMs: number } {
  const carried = existingRoles(carriedRoles(grantee), roles);
  const { maxCertificateTtlMs = usualMs } = mergeOptions(carried.map(({ options }) => options));
  return { defaultMs: Math.min(usualMs, maxCertificateTtlMs), maximumMs: Math.min(longestMs, maxCertificateTtlMs) };
}

const usualMs = 12 * 3_600_000;
const longestMs = 30 * 3_600_000;

function namesIn(
  access: CompiledEntry['access'],
  traits: Traits,
  principals: (access: unknown) => readonly string[],
): readonly string[] {
  if (!access.hasKeys) return [];
  try {
    const result = access.evaluate(traits);
    return result.ok ? principals(result.access) : [];
  } catch {
    return [];
  }
}
