import { z } from 'zod';
import { authorityKinds } from '../../certificates/authority-kind.js';
import { rotationPhases } from '../../certificates/key-set.js';
import { rotationSteps } from '../../certificates/rotation-step.js';
import { endpoint } from './endpoint.js';

const kind = z.enum(authorityKinds);

/** The public halves of one authority: what others install to trust what it signs. */
export const authorityView = z.object({
  kind,
  cluster: z.string(),
  /** Certificates in PEM. */
  x509: z.array(z.string()),
  /** Public keys as OpenSSH lines. */
  openSsh: z.array(z.string()),
});

export const getAuthority = endpoint({
  method: 'GET',
  path: '/v1/authorities/{kind}',
  summary: 'Shows the public halves of a certificate authority.',
  access: 'user',
  input: z.object({ kind }),
  output: authorityView,
});

/** Where an authority stands between one key and the next. */
export const rotationView = z.object({
  kind,
  phase: z.enum(rotationPhases),
  /** When the phase began, and when the last rotation ended. */
  since: z.iso.datetime().optional(),
  rotated: z.iso.datetime().optional(),
  /** Ids of keys: those that sign, and those that are trusted. */
  active: z.array(z.string()),
  trusted: z.array(z.string()),
  /** The phase that `advance` leads to. */
  next: z.enum(rotationPhases).optional(),
  /** When the next phase begins by itself, if nothing stands in its way. */
  advances: z.iso.datetime().optional(),
  /** What stands in the way; with a time, it is over by itself then. */
  blockers: z.array(z.object({ reason: z.string(), until: z.iso.datetime().optional() })),
});

export const listAuthorities = endpoint({
  method: 'GET',
  path: '/v1/authorities',
  summary: 'Lists the certificate authorities, how far their rotations are, and what the next phase waits for.',
  access: { kind: 'authority', verb: 'list' },
  input: z.object({}),
  output: z.array(rotationView),
});

export const rotateAuthority = endpoint({
  method: 'POST',
  path: '/v1/authorities/{kind}/rotation',
  summary: 'Starts the rotation of an authority to a new key, takes it a phase further, or takes it back.',
  access: { kind: 'authority', verb: 'update' },
  input: z.object({
    kind,
    step: z.enum(rotationSteps),
    /** With `start`: seconds that each phase lasts, after which the next begins by itself. */
    grace: z
      .int()
      .min(60, 'a phase lasts a minute at least')
      .max(31_536_000, 'a phase lasts a year at most')
      .optional(),
    /** With `advance`: in spite of what stands in the way. */
    force: z.boolean().default(false),
  }),
  output: rotationView,
});

/** Keys with which applications verify what the cluster says about a user (RFC 7517, section 5). */
export const getKeySet = endpoint({
  method: 'GET',
  path: '/.well-known/jwks.json',
  summary: 'Shows the public keys of the `jwt` authority, by which assertions about users are verified.',
  access: 'public',
  input: z.object({}),
  output: z.object({ keys: z.array(z.record(z.string(), z.unknown())) }),
});

export const certifyDatabaseServer = endpoint({
  method: 'POST',
  path: '/v1/authorities/db/servers',
  summary: 'Certifies the key of a database server for names inside the cluster, by the `db` authority.',
  access: { kind: 'authority', verb: 'create' },
  input: z.object({
    names: z.array(z.string().max(253)).min(1).max(16),
    /** SPKI PEM. */
    publicKey: z.string().max(4096),
    ttl: z.int().positive().optional(),
  }),
  output: z.object({ certificate: z.string(), serial: z.string(), expires: z.iso.datetime() }),
});
