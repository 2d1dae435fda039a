import type { z } from 'zod';
import { nearest } from '../configuration/index.js';
import { keysAt, valueAt } from './schema-keys.js';

export type Path = readonly (string | number)[];

/** One thing that is wrong with a document, and where. */
export interface Problem {
  readonly path: Path;
  readonly message: string;
}

/** `allow.web[0].labels.env: message`, or the message alone where it is about the whole document. */
export function problemText({ path, message }: Problem): string {
  const where = path.map((step) => (typeof step === 'number' ? `[${step}]` : `.${step}`)).join('');
  return where === '' ? message : `${where.replace(/^\./, '')}: ${message}`;
}

/** What a schema has against a value: one problem for each mistake, with the nearest known key for each unknown one. */
export function schemaProblems(schema: z.ZodType, value: unknown, issues: readonly z.core.$ZodIssue[]): Problem[] {
  return issues.flatMap((issue) => flatten(issue, [], value)).flatMap((issue) => describe(issue, schema));
}

/** The names of the candidates that a word may have meant, as the end of a sentence. */
export function suggestion(word: string, known: readonly string[]): string {
  const meant = nearest(word, known);
  if (meant) return `did you mean ${meant}?`;
  return known.length === 0 ? 'there is none here' : `known here: ${known.join(', ')}`;
}

type Flat = z.core.$ZodIssue & { readonly path: (string | number)[] };

/** An issue of a union says nothing; those of the branch that fits the value's shape do. */
function flatten(issue: z.core.$ZodIssue, base: Path, root: unknown): readonly Flat[] {
  const path = [...base, ...issue.path] as (string | number)[];
  if (issue.code !== 'invalid_union') return [{ ...issue, path }];
  const isWholeMismatch = (inner: z.core.$ZodIssue): boolean =>
    inner.code === 'invalid_type' && inner.path.length === 0;
  const branch = issue.errors.find((inner) => inner.length > 0 && !inner.some(isWholeMismatch));
  if (branch) return branch.flatMap((inner) => flatten(inner, path, root));
  const expected = issue.errors.flat().flatMap((inner) => (inner.code === 'invalid_type' ? [inner.expected] : []));
  const message =
    expected.length === 0 ? issue.message : `expected ${expected.join(' or ')}, found ${typeName(valueAt(root, path))}`;
  return [{ ...issue, path, message }];
}

function describe(issue: Flat, schema: z.ZodType): readonly Problem[] {
  if (issue.code !== 'unrecognized_keys') return [{ path: issue.path, message: issue.message }];
  const known = keysAt(schema, issue.path);
  return issue.keys.map((key) => ({
    path: [...issue.path, key],
    message: `unknown key; ${suggestion(key, known)}`,
  }));
}

function typeName(value: unknown): string {
  if (value === null) return 'null';
  return Array.isArray(value) ? 'array' : typeof value;
}
