import { createPublicKey } from 'node:crypto';
import { z } from 'zod';
import { authorityKinds, type AuthorityKind } from './authority-kind.js';
import type { AuthorityKey, KeySet } from './key-set.js';
import { clusterName } from './name-grammar.js';

const jsonWebKey = z
  .strictObject({
    kty: z.literal('EC'),
    crv: z.literal('P-256'),
    x: z.string().length(43),
    y: z.string().length(43),
    kid: z.string().max(64),
    alg: z.literal('ES256'),
    use: z.literal('sig'),
  })
  .readonly();

/** One key of the `jwt` authority (RFC 7517). */
export type JsonWebKey = z.output<typeof jsonWebKey>;

const auditKey = z.strictObject({ id: z.string().max(64), publicKey: z.string().max(1024) }).readonly();

/** One key of the `audit` authority: its id, and an Ed25519 public key in PEM. */
export type AuditKey = z.output<typeof auditKey>;

/** What everybody may know of an authority, and all that a replica or a client needs to verify with. Plain JSON. */
export interface AuthorityBundle<K extends AuthorityKind = AuthorityKind> {
  readonly kind: K;
  readonly cluster: string;
  /** Self-signed certificates, in PEM. */
  readonly x509: readonly string[];
  /** Public keys as OpenSSH lines. */
  readonly openSsh: readonly string[];
  readonly jwks: readonly JsonWebKey[];
  readonly audit: readonly AuditKey[];
}

/** The grammar of a bundle that came from somewhere else. At most eight keys of each sort. */
export const authorityBundle: z.ZodType<AuthorityBundle> = z
  .strictObject({
    kind: z.enum(authorityKinds),
    cluster: clusterName,
    x509: z.array(z.string().max(16_384)).max(8).readonly(),
    openSsh: z.array(z.string().max(4096)).max(8).readonly(),
    jwks: z.array(jsonWebKey).max(8).readonly(),
    audit: z.array(auditKey).max(8).readonly(),
  })
  .readonly();

/** The public halves that are trusted, in the key set's order. */
export function bundleOf<K extends AuthorityKind>(set: KeySet & { readonly kind: K }): AuthorityBundle<K> {
  return {
    kind: set.kind,
    cluster: set.cluster,
    x509: set.trusted.flatMap(({ x509 }) => x509 ?? []),
    openSsh: set.trusted.flatMap(({ openssh }) => openssh ?? []),
    jwks: set.trusted.flatMap(jwksOf),
    audit: set.trusted.flatMap(({ id, audit }) => (audit === undefined ? [] : { id, publicKey: audit })),
  };
}

function jwksOf({ id, jwt }: AuthorityKey): JsonWebKey[] {
  if (jwt === undefined) return [];
  return [jsonWebKey.parse({ ...createPublicKey(jwt).export({ format: 'jwk' }), kid: id, alg: 'ES256', use: 'sig' })];
}
