import { newUserKeys } from '../../support/login.js';
import { createAuthorityCertificate } from '../../../kernel/src/certificates/x509-authority.js';
import { newIssuer, p256, privatePem, signingKey } from '../../../kernel/test/certificates/support.js';
import type { CertificateIssuer } from '@postern/kernel/certificates';

/** What a client shows, by TLS and by SSH. Without a certificate for SSH, it shows a key alone. */
export interface Credential {
  readonly certificate: string;
  readonly key: string;
  readonly sshCertificate: string | undefined;
  readonly sshKey: string;
}

/** Later than any that the user has had. */
const generation = 1_000_000;

/** Certificates that say everything that true ones of the user say, by an authority that nobody trusts. */
export async function byAnotherAuthority(
  user: { readonly name: string; readonly roles: readonly string[]; readonly login: string },
  cluster: string,
): Promise<Credential> {
  const issuer = await newIssuer({ cluster });
  const { tls, openSsh, request } = newUserKeys();
  const { name, roles, login } = user;
  const issued = await issuer.issueUser({
    claims: {
      user: name,
      roles: [...roles],
      traits: {},
      principals: { postgres: ['app'], ssh: [login] },
      generation,
      requests: [],
    },
    tlsPublicKey: request.tlsPublicKey,
    openSshPublicKey: request.sshPublicKey,
    openSshPrincipals: [login],
    openSshPermissions: { pty: true },
  });
  return {
    certificate: issued.tls?.certificate ?? '',
    key: tls,
    sshCertificate: issued.openSsh?.certificate,
    sshKey: openSsh,
  };
}

/** A certificate that its holder signed, and an SSH key that nobody did. */
export async function bySelf(cluster: string): Promise<Credential> {
  const { privateKey } = p256();
  const certificate = await createAuthorityCertificate(cluster, 'user', signingKey(privateKey), new Date());
  return { certificate, key: privatePem(privateKey), sshCertificate: undefined, sshKey: newUserKeys().openSsh };
}

/** Certificates of the cluster's own authorities that let an agent in at what is behind it: a database and a stock server. */
export async function forUpstream(issuer: CertificateIssuer, login: string): Promise<Credential> {
  const { tls, openSsh, request } = newUserKeys();
  const database = await issuer.issueDatabaseClient({ name: 'app', publicKey: request.tlsPublicKey });
  const server = await issuer.issueOpenSshLogin({ login, keyId: login, publicKey: request.sshPublicKey });
  return { certificate: database.certificate, key: tls, sshCertificate: server.certificate, sshKey: openSsh };
}

/** The certificates by which servers of the cluster prove themselves. */
export async function ofServer(issuer: CertificateIssuer, name: string): Promise<Credential> {
  const { tls, openSsh, request } = newUserKeys();
  const server = await issuer.issueServer({ names: [name], publicKey: request.tlsPublicKey, ca: 'host' });
  const host = await issuer.issueOpenSshHost({ principals: [name], publicKey: request.sshPublicKey });
  return { certificate: server.certificate, key: tls, sshCertificate: host.certificate, sshKey: openSsh };
}
