import { z } from 'zod';
import { roleOptions } from './options.js';

/** What the API can be asked to do with one kind of the cluster's own objects. */
export const verbs = ['list', 'read', 'create', 'update', 'delete'] as const;
export type Verb = (typeof verbs)[number];

/** Kinds of objects that the API serves. A role may name others; validation then warns. */
export const apiKinds = [
  'agent',
  'audit',
  'authority',
  'document',
  'lock',
  'recording',
  'role',
  'session',
  'token',
  'user',
];

export const roleName = z
  .string()
  .regex(
    /^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$/,
    'use up to 63 letters, digits and . _ -, beginning with a letter or digit',
  );

const text = z.string().min(1).max(512);

const labelConditions = z
  .record(z.string().min(1).max(128), z.union([text, z.array(text).min(1).max(256)]))
  .refine(
    (labels) => !('*' in labels) || labels['*'] === '*',
    "the key '*' goes with the value '*' only: together they mean every resource",
  );

/** One pair of labels and access keys. The keys beside `labels` belong to the protocol. */
const entry = z.looseObject({ labels: labelConditions.optional() });

const rule = z.strictObject({
  kinds: z
    .array(z.string().regex(/^([a-z][a-z0-9_-]{0,62}|\*)$/, 'use the name of a kind, or *'))
    .min(1)
    .max(64),
  verbs: z.array(z.enum([...verbs, '*'])).min(1),
});

/** What stands under `allow` and `deny`: `rules` for the API, and entries by protocol id or `'*'`. */
const clause = z
  .object({ rules: z.array(rule).max(256).optional() })
  .catchall(z.union([entry, z.array(entry).min(1).max(256)]))
  .superRefine((written, context) => {
    const everyKind = Object.hasOwn(written, '*') ? written['*'] : undefined;
    const keys = [everyKind].flat().flatMap((one) => Object.keys(one ?? {}).filter((key) => key !== 'labels'));
    for (const key of keys)
      context.addIssue({
        code: 'custom',
        path: ['*'],
        message: `an entry for every protocol has labels only, and ${key} belongs to one`,
      });
  });

/**
 * A role document. Under `allow`, an entry for a protocol grants what its
 * access keys say on the resources that its labels select; an entry without
 * labels or without access keys grants nothing. Under `deny`, an entry forbids
 * what its access keys name, and everything where it has none; without labels it
 * is about every resource. The entry `'*'` has labels only and is about every
 * protocol: it allows what the protocol declares as its preset, and denies
 * everything.
 */
export const roleDocument = z.strictObject({
  kind: z.literal('role'),
  name: roleName,
  description: z.string().max(1024).optional(),
  allow: clause.optional(),
  deny: clause.optional(),
  options: roleOptions.optional(),
});

export type Role = z.output<typeof roleDocument>;
export type RoleClause = NonNullable<Role['allow']>;
export type RoleEntry = z.output<typeof entry>;
export type Rule = z.output<typeof rule>;

/** The entries of a clause by protocol id, as lists. */
export function entriesOf(clause: RoleClause | undefined): readonly (readonly [string, readonly RoleEntry[]])[] {
  return Object.entries(clause ?? {}).flatMap(([id, value]) =>
    id === 'rules' ? [] : [[id, Array.isArray(value) ? (value as RoleEntry[]) : [value as RoleEntry]] as const],
  );
}
