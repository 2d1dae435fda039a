import { PosternError } from '@postern/plugin-sdk';
import { z } from 'zod';
import { authorityHalves, authorityKinds, halvesOf } from './authority-kind.js';
import { clusterName } from './name-grammar.js';

/** How far a rotation has come; `standby` is the rest of the time. */
export const rotationPhases = ['standby', 'init', 'update_clients', 'update_servers', 'rollback'] as const;
export type RotationPhase = (typeof rotationPhases)[number];

const id = z.string().regex(/^[0-9a-f]{32}$/);
const publicHalf = z.string().min(1).max(16_384).optional();

const authorityKey = z
  .strictObject({
    id,
    created: z.iso.datetime(),
    x509: publicHalf,
    openssh: publicHalf,
    jwt: publicHalf,
    audit: publicHalf,
  })
  .readonly();

/**
 * The public halves of one generation of an authority: a certificate in PEM, an
 * OpenSSH line, and SubjectPublicKeyInfo in PEM for `jwt` and `audit`.
 */
export type AuthorityKey = z.output<typeof authorityKey>;

const isLast = (incoming: string | undefined, trusted: readonly AuthorityKey[]): boolean =>
  incoming === undefined || (trusted.length > 1 && trusted.at(-1)?.id === incoming);

const schema = z
  .strictObject({
    v: z.literal(1),
    kind: z.enum(authorityKinds),
    cluster: clusterName,
    phase: z.enum(rotationPhases),
    /** When the last rotation ended. */
    rotated: z.iso.datetime().optional(),
    /** When the phase began; absent before the first rotation. */
    since: z.iso.datetime().optional(),
    /** When another key began to sign; absent before the first rotation. */
    switched: z.iso.datetime().optional(),
    /** During a rotation, the key that came in with it. */
    incoming: id.optional(),
    /** How long each phase lasts, in milliseconds, where the rotation goes on by itself. */
    graceMs: z.int().positive().optional(),
    active: z.array(id).min(1).max(8).readonly(),
    trusted: z.array(authorityKey).min(1).max(8).readonly(),
  })
  .readonly()
  .refine((set) => new Set(set.trusted.map((key) => key.id)).size === set.trusted.length, 'a key is trusted twice')
  .refine(
    (set) => set.active.every((active) => set.trusted.some((key) => key.id === active)),
    'an active key is not trusted',
  )
  .refine(
    ({ incoming, phase, trusted }) => (incoming === undefined) === (phase === 'standby') && isLast(incoming, trusted),
    'a rotation and its new key do not belong together',
  )
  .refine(
    (set) =>
      set.trusted.every((key) =>
        authorityHalves.every((half) => (key[half] !== undefined) === halvesOf[set.kind].includes(half)),
      ),
    'a key lacks a half of its kind, or has one too many',
  );

/**
 * One authority as the store keeps it and replicas read it: nothing here is
 * secret. `active` are the ids of the keys that sign, `trusted` the keys that
 * verify; during a rotation there are more of the latter than of the former.
 * The first trusted key is the one that signed before a rotation, the last one
 * the incoming key; of `audit`, keys of earlier rotations stand in between.
 */
export type KeySet = z.output<typeof schema>;

export const encodeKeySet = (set: KeySet): string => JSON.stringify(schema.parse(set));

/** Reads a stored key set. Rejects with `internal` for one that is malformed or of another program's version. */
export function decodeKeySet(text: string): KeySet {
  try {
    return schema.parse(JSON.parse(text));
  } catch (cause) {
    throw new PosternError('internal', 'the stored key set of an authority is malformed', { cause });
  }
}
