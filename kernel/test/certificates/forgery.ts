import {
  trustAuthority,
  type AuthorityKind,
  identityOid,
  type TrustedAuthority,
} from '../../src/certificates/index.js';
import { encodeIdentityExtension } from '../../src/certificates/identity-extension.js';
import {
  createAuthorityCertificate,
  openAuthority,
  type X509Authority,
} from '../../src/certificates/x509-authority.js';
import { buildCertificate, keyIdentifier, x509Name } from '../../src/certificates/x509-build.js';
import { clientAuth } from '../../src/certificates/x509-issue.js';
import { authorityKeyIdentifier, encodeExtension, extendedKeyUsage } from '../../src/certificates/x509-extension.js';
import { claims, cluster, p256, signingKey } from './support.js';
import { BasicConstraintsExtension, encoded } from './x509-library.js';

const now = new Date();
/** A minute ago to an hour from now. */
export const period = { notBefore: new Date(now.getTime() - 60_000), notAfter: new Date(now.getTime() + 3_600_000) };
export const { publicKey } = p256();

/** An authority whose key the test holds, so that it can sign what the issuer never would. */
export async function looseAuthority<K extends AuthorityKind>(
  kind: K,
): Promise<{ authority: X509Authority; trust: TrustedAuthority<K>[]; pem: string }> {
  const key = signingKey(p256().privateKey);
  const pem = await createAuthorityCertificate(cluster, kind, key, now);
  const bundle = { kind, cluster, x509: [pem], openSsh: [], jwks: [], audit: [] };
  return { authority: openAuthority(kind, pem, key), trust: [trustAuthority(bundle)], pem };
}

export interface Forgery {
  readonly subject?: string;
  readonly usages?: readonly string[];
  readonly ca?: boolean;
  readonly extensions?: readonly Buffer[];
  readonly identity?: Buffer;
}

/** A user certificate that is wrong in one place. */
export async function forge(authority: X509Authority, forgery: Forgery): Promise<string> {
  const { pem } = await buildCertificate(
    {
      subject: x509Name([['CN', forgery.subject ?? 'alice']]),
      publicKey,
      period,
      extensions: [
        encoded(new BasicConstraintsExtension(forgery.ca ?? false, undefined, true)),
        extendedKeyUsage(forgery.usages ?? [clientAuth]),
        authorityKeyIdentifier(keyIdentifier(authority.key.publicKey)),
        encodeExtension(identityOid, forgery.identity ?? encodeIdentityExtension({ ...claims, cluster })),
        ...(forgery.extensions ?? []),
      ],
    },
    authority,
  );
  return pem;
}
