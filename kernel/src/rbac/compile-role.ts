import type { AnyProtocol } from '@postern/plugin-sdk';
import { compileAccess, type CompiledAccess } from './access.js';
import { boundsProblem } from './bounded.js';
import { compileLabels, describeConditions, type LabelSelector } from './labels.js';
import type { RoleOptions } from './options.js';
import { printable } from './printable.js';
import { problemText, schemaProblems } from './problem.js';
import { entriesOf, roleDocument, type Role, type RoleClause, type RoleEntry, type Rule } from './role.js';

/** The declarations of the enabled protocols by id. */
export type Protocols = ReadonlyMap<string, AnyProtocol>;

/** One entry of `allow` or `deny`, for one protocol. */
export interface CompiledEntry {
  /** Where the operator wrote it, such as `allow.web[1]`. */
  readonly where: string;
  /** The label conditions in words. */
  readonly conditions: string;
  readonly labels: LabelSelector;
  readonly access: CompiledAccess;
}

export interface CompiledClause {
  /** By protocol id. An entry for `'*'` stands under every protocol. */
  readonly entries: ReadonlyMap<string, readonly CompiledEntry[]>;
  readonly rules: readonly Rule[];
}

/** A role that is ready for decisions. Made once for each revision of its document. */
export interface CompiledRole {
  readonly name: string;
  /** Why the document cannot be read. Whoever has such a role is denied everything. */
  readonly problem?: string;
  readonly options: RoleOptions;
  readonly allow: CompiledClause;
  readonly deny: CompiledClause;
}

/** The roles that exist, by name. */
export type Roles = ReadonlyMap<string, CompiledRole>;

/**
 * Prepares a role's document, found in the store under `name`. Never throws: a
 * document that this version cannot read in full is kept with its problem,
 * because what cannot be read may be a restriction.
 */
export function compileRole(name: string, document: unknown, protocols: Protocols): CompiledRole {
  try {
    const role = readRole(name, document);
    if (typeof role === 'string') return broken(name, role);
    return {
      name,
      options: role.options ?? {},
      allow: compileClause('allow', role.allow, protocols),
      deny: compileClause('deny', role.deny, protocols),
    };
  } catch (cause) {
    return broken(name, cause instanceof Error ? cause.message : String(cause));
  }
}

/** Prepares all documents; a name that comes twice counts as unreadable. */
export function compileRoles(
  documents: Iterable<readonly [name: string, document: unknown]>,
  protocols: Protocols,
): Roles {
  const roles = new Map<string, CompiledRole>();
  for (const [name, document] of documents)
    roles.set(
      name,
      roles.has(name) ? broken(name, 'there are two roles of this name') : compileRole(name, document, protocols),
    );
  return roles;
}

function readRole(name: string, document: unknown): Role | string {
  const problem = boundsProblem(document);
  if (problem) return problemText(problem);
  const result = roleDocument.safeParse(document);
  if (!result.success) {
    const [first] = schemaProblems(roleDocument, document, result.error.issues);
    return first ? problemText(first) : 'the document cannot be read';
  }
  return result.data.name === name ? result.data : `the document names itself ${result.data.name}`;
}

function compileClause(
  clause: 'allow' | 'deny',
  written: RoleClause | undefined,
  protocols: Protocols,
): CompiledClause {
  const entries = new Map<string, CompiledEntry[]>();
  for (const [id, list] of entriesOf(written))
    list.forEach((entry, index) => {
      const where = list.length === 1 ? `${clause}.${id}` : `${clause}.${id}[${index}]`;
      for (const [protocol, compiled] of compileEntry({ clause, id, where, entry }, protocols))
        entries.set(protocol, [...(entries.get(protocol) ?? []), compiled]);
    });
  return { entries, rules: written?.rules ?? [] };
}

interface WrittenEntry {
  readonly clause: 'allow' | 'deny';
  readonly id: string;
  readonly where: string;
  readonly entry: RoleEntry;
}

/** An entry for each protocol that it is about: a protocol that is not enabled here has none, and thus grants nothing. */
function compileEntry({ clause, id, where, entry }: WrittenEntry, protocols: Protocols): [string, CompiledEntry][] {
  const { labels: written = {}, ...keys } = entry;
  const labels = compileLabels(written);
  const conditions = printable(describeConditions(written), 240);
  const about = id === '*' ? [...protocols.values()] : [protocols.get(id)].filter((protocol) => protocol !== undefined);
  return about.map((protocol) => {
    const named = id === '*' && clause === 'allow' ? (protocol.auth.preset ?? {}) : keys;
    return [protocol.id, { where, conditions, labels, access: compileAccess(protocol, named, clause) }];
  });
}

const nothing: CompiledClause = { entries: new Map(), rules: [] };

const broken = (name: string, problem: string): CompiledRole => ({
  name,
  problem,
  options: {},
  allow: nothing,
  deny: nothing,
});
