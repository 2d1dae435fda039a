import type { SigningKeyType } from './signing-key.js';

/**
 * The cluster's certificate authorities.
 *
 * - `user` certifies users, `host` certifies services and resources.
 * - `db` certifies database servers, `db_client` the agents' clients of them.
 * - `openssh` certifies users towards servers that run no agent.
 * - `jwt` signs statements for applications, `audit` the heads of the log.
 */
export const authorityKinds = ['user', 'host', 'db', 'db_client', 'openssh', 'jwt', 'audit'] as const;
export type AuthorityKind = (typeof authorityKinds)[number];

/** The halves of an authority's key: a certificate for TLS, a key for OpenSSH, a bare key for signatures. */
export const authorityHalves = ['x509', 'openssh', 'jwt', 'audit'] as const;
export type AuthorityHalf = (typeof authorityHalves)[number];

/** Which halves each authority has. */
export const halvesOf: Readonly<Record<AuthorityKind, readonly AuthorityHalf[]>> = {
  user: ['x509', 'openssh'],
  host: ['x509', 'openssh'],
  db: ['x509'],
  db_client: ['x509'],
  openssh: ['openssh'],
  jwt: ['jwt'],
  audit: ['audit'],
};

/** What kind of key each half is. */
export const keyTypeOf: Readonly<Record<AuthorityHalf, SigningKeyType>> = {
  x509: 'ecdsa-p256',
  openssh: 'ed25519',
  jwt: 'ecdsa-p256',
  audit: 'ed25519',
};

/** The authorities whose certificates may name nothing outside the cluster, and say so in their own. */
export const isConstrained = (kind: AuthorityKind): boolean => kind === 'host' || kind === 'db';

/**
 * The phase of a rotation in which the new key begins to sign. Certificates of
 * clients change first: servers have trusted the new key since `init`. Those of
 * servers change one phase later, when every client has learned of it.
 */
export const signsFrom: Readonly<Record<AuthorityKind, 'update_clients' | 'update_servers'>> = {
  user: 'update_clients',
  host: 'update_servers',
  db: 'update_servers',
  db_client: 'update_clients',
  openssh: 'update_clients',
  jwt: 'update_clients',
  audit: 'update_clients',
};
