import type { AnyProtocol } from '@postern/plugin-sdk';
import type { z } from 'zod';
import { printable } from './printable.js';
import { problemText, schemaProblems, suggestion, type Problem } from './problem.js';
import { keysAt, unknownKeys } from './schema-keys.js';
import { Expansion, readAccess, type AccessNode } from './access-template.js';
import type { Traits } from './template.js';

/** The access keys of one entry, read once for one protocol. */
export interface CompiledAccess {
  /** False where the entry has labels only. */
  readonly hasKeys: boolean;
  /**
   * What the keys say for a user with these traits, as the protocol's schema
   * returns it. A problem means that they cannot be read: an entry of `allow`
   * then grants nothing, and one of `deny` forbids everything.
   */
  evaluate(traits: Traits): Evaluated;
}

export type Evaluated =
  | {
      readonly ok: true;
      readonly access: unknown;
      /** The access as an operator reads it, with what the schema filled in; cut to a bounded length. */
      readonly text: string;
    }
  | { readonly ok: false; readonly problem: string };

/** Reads the access keys of an entry. Never throws: what is wrong with them shows in every evaluation. */
export function compileAccess(
  protocol: AnyProtocol,
  keys: Readonly<Record<string, unknown>>,
  clause: 'allow' | 'deny',
): CompiledAccess {
  const hasKeys = Object.keys(keys).length > 0;
  const node = readAccess(keys);
  const [unknown] = unknownKeys(schemaOf(protocol), keys);
  if (unknown !== undefined) return constant(hasKeys, { ok: false, problem: `${protocol.id} knows no key ${unknown}` });
  if (node.kind === 'malformed') return constant(hasKeys, { ok: false, problem: node.problem });
  if (node.kind === 'fixed') return constant(hasKeys, parse(protocol, keys));
  return { hasKeys, evaluate: remembering((traits) => expand(protocol, node, traits, clause)) };
}

/** One certificate asks often, and its traits never change: what they give is kept for as long as they are. */
function remembering(evaluate: CompiledAccess['evaluate']): CompiledAccess['evaluate'] {
  const known = new WeakMap<Traits, Evaluated>();
  return (traits) => {
    const before = known.get(traits);
    if (before) return before;
    const result = evaluate(traits);
    known.set(traits, result);
    return result;
  };
}

/** What is wrong with the access keys of an entry, as far as it can be known without anybody's traits. */
export function accessProblems(protocol: AnyProtocol, keys: Readonly<Record<string, unknown>>): readonly Problem[] {
  const unknown = unknownKeys(schemaOf(protocol), keys);
  const known = keysAt(schemaOf(protocol), []);
  if (unknown.length > 0)
    return unknown.map((key) => ({ path: [key], message: `unknown key; ${suggestion(key, known)}` }));
  const node = readAccess(keys);
  if (node.kind === 'malformed') return [{ path: node.path, message: node.problem }];
  const expansion = new Expansion({}, 'deny');
  const value = expansion.expand(node);
  const result = attempt(protocol, value);
  if (result.kind === 'read') return [];
  if (result.kind === 'failed') return [{ path: [], message: result.problem }];
  return schemaProblems(schemaOf(protocol), value, result.issues).flatMap(({ path, message }) => {
    // What a template left empty is filled by traits that are not known here.
    const written = expansion.writtenPath(value, path);
    return written ? [{ path: written, message }] : [];
  });
}

function expand(protocol: AnyProtocol, node: AccessNode, traits: Traits, clause: 'allow' | 'deny'): Evaluated {
  const expansion = new Expansion(traits, clause);
  const value = expansion.expand(node);
  const result = attempt(protocol, value);
  if (result.kind !== 'refused' || clause === 'deny') return evaluated(protocol, value, result);
  // One strange value among a user's groups must not cost the others.
  const paths = schemaProblems(schemaOf(protocol), value, result.issues).map(({ path }) => path);
  if (!expansion.withdraw(value, paths)) return evaluated(protocol, value, result);
  return evaluated(protocol, value, attempt(protocol, value));
}

type Attempt =
  | { readonly kind: 'read'; readonly access: unknown }
  | { readonly kind: 'refused'; readonly issues: Parameters<typeof schemaProblems>[2] }
  | { readonly kind: 'failed'; readonly problem: string };

function attempt(protocol: AnyProtocol, value: unknown): Attempt {
  try {
    const result = schemaOf(protocol).safeParse(value);
    if (result.success) return { kind: 'read', access: result.data };
    return { kind: 'refused', issues: result.error.issues };
  } catch (cause) {
    return { kind: 'failed', problem: cause instanceof Error ? cause.message : String(cause) };
  }
}

const parse = (protocol: AnyProtocol, value: unknown): Evaluated =>
  evaluated(protocol, value, attempt(protocol, value));

function evaluated(protocol: AnyProtocol, value: unknown, result: Attempt): Evaluated {
  if (result.kind === 'read') return { ok: true, access: result.access, text: accessText(result.access) };
  if (result.kind === 'failed') return { ok: false, problem: result.problem };
  const [first] = schemaProblems(schemaOf(protocol), value, result.issues);
  return { ok: false, problem: first ? problemText(first) : 'the access keys were refused' };
}

function accessText(access: unknown): string {
  try {
    return printable(JSON.stringify(access) ?? '', 240);
  } catch {
    return 'something that cannot be shown';
  }
}

const schemaOf = (protocol: AnyProtocol): z.ZodType => protocol.auth.access as z.ZodType;

const constant = (hasKeys: boolean, result: Evaluated): CompiledAccess => ({ hasKeys, evaluate: () => result });
