import { z } from 'zod';
import { authorityKinds } from '../../certificates/authority-kind.js';
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
