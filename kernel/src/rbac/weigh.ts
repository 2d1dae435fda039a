import type { AnyProtocol } from '@postern/plugin-sdk';
import type { CompiledEntry, CompiledRole } from './compile-role.js';
import type { Reason } from './decision.js';
import { selects, unmetLabels, type Labels } from './labels.js';
import { principalsWithin } from './principal-names.js';
import { printable } from './printable.js';
import type { Traits } from './template.js';

/** What is weighed: one resource, one user's traits, and what stands for an ask. */
export interface Case {
  readonly protocol: AnyProtocol;
  readonly labels: Labels;
  readonly traits: Traits;
  /** Whether access keys under `allow` grant what is asked. */
  permits(access: unknown): boolean;
  /** Whether access keys under `deny` name what is asked. */
  forbids(access: unknown): boolean;
}

/** Every entry that speaks for or against, of every role. */
export interface Weighed {
  readonly against: readonly Reason[];
  readonly for: readonly Reason[];
  /** Whom the entries that speak for let the user become. */
  readonly principals: readonly string[];
  /** Whom entries of `deny` on this resource name. */
  readonly excluded: readonly string[];
}

/** Reads every entry that the roles have for the protocol. An entry that fails under `deny` speaks against. */
export function weigh(roles: readonly CompiledRole[], one: Case): Weighed {
  const against: Reason[] = [];
  const speaking: Reason[] = [];
  const named = { allowed: [] as string[], denied: [] as string[] };
  for (const role of roles) {
    if (role.problem !== undefined) {
      against.push({ clause: 'deny', part: 'error', role: role.name, detail: `cannot be read: ${role.problem}` });
      continue;
    }
    for (const entry of role.deny.entries.get(one.protocol.id) ?? []) {
      const reason = speaksAgainst(role, entry, one, named.denied);
      if (reason) against.push(reason);
    }
    for (const entry of role.allow.entries.get(one.protocol.id) ?? []) {
      const reason = speaksFor(role, entry, one, named.allowed);
      if (reason) speaking.push(reason);
    }
  }
  const principals = principalsWithin(named.allowed, named.denied);
  return { against, for: speaking, principals, excluded: [...new Set(named.denied)].sort() };
}

/** What each entry would have needed to allow, and each role that has no entry. Called only where nothing speaks for. */
export function shortfalls(roles: readonly CompiledRole[], one: Case): readonly Reason[] {
  return roles.flatMap((role): readonly Reason[] => {
    if (role.problem !== undefined) return [];
    const entries = role.allow.entries.get(one.protocol.id) ?? [];
    if (entries.length > 0) return entries.map((entry) => shortfall(role, entry, one));
    return [
      { clause: 'allow', part: 'protocol', role: role.name, detail: `allows nothing of kind ${one.protocol.id}` },
    ];
  });
}

function speaksAgainst(role: CompiledRole, entry: CompiledEntry, one: Case, denied: string[]): Reason | undefined {
  const { labels, conditions, access, where } = entry;
  if (!selects(labels, 'deny', one.labels, one.traits)) return undefined;
  const reason = reasonsOf('deny', role, where);
  if (labels.kind === 'malformed') return reason('error', `its labels cannot be read: ${labels.problem}`);
  const scope = labels.kind === 'absent' ? 'every resource' : `resources with ${conditions}`;
  if (!access.hasKeys) {
    denied.push('*');
    return reason('labels', `denies everything on ${scope}`);
  }
  try {
    const result = access.evaluate(one.traits);
    if (!result.ok) return reason('error', `cannot be read for this user: ${result.problem}`);
    denied.push(...(one.protocol.auth.principals?.(result.access) ?? []));
    if (one.forbids(result.access) === false) return undefined;
    return reason('access', `denies ${result.text} on ${scope}`);
  } catch (cause) {
    return reason('error', `failed: ${messageOf(cause)}`);
  }
}

function speaksFor(role: CompiledRole, entry: CompiledEntry, one: Case, allowed: string[]): Reason | undefined {
  const { labels, conditions, access, where } = entry;
  if (!access.hasKeys || !selects(labels, 'allow', one.labels, one.traits)) return undefined;
  try {
    const result = access.evaluate(one.traits);
    if (!result.ok || one.permits(result.access) !== true) return undefined;
    allowed.push(...(one.protocol.auth.principals?.(result.access) ?? []));
    return reasonsOf('allow', role, where)('access', `allows ${result.text} on ${conditions}`);
  } catch {
    return undefined;
  }
}

function shortfall(role: CompiledRole, { labels, conditions, access, where }: CompiledEntry, one: Case): Reason {
  const reason = reasonsOf('allow', role, where);
  if (labels.kind === 'malformed') return reason('error', `its labels cannot be read: ${labels.problem}`);
  if (labels.kind === 'absent') return reason('labels', 'has no labels, so it is about no resource');
  const unmet = unmetLabels(labels, one.labels, one.traits);
  if (unmet.length > 0) return { ...reason('labels', `allows ${conditions} only`), unmet };
  if (!access.hasKeys) return reason('access', `names nothing of ${one.protocol.id} that it allows`);
  try {
    const result = access.evaluate(one.traits);
    if (!result.ok) return reason('error', `cannot be read for this user: ${result.problem}`);
    one.permits(result.access);
    return reason('access', `allows ${result.text} only`);
  } catch (cause) {
    return reason('error', `failed: ${messageOf(cause)}`);
  }
}

const reasonsOf =
  (clause: Reason['clause'], role: CompiledRole, entry: string) =>
  (part: Reason['part'], detail: string): Reason => ({ clause, part, role: role.name, entry, detail });

const messageOf = (cause: unknown): string => printable(cause instanceof Error ? cause.message : String(cause));
