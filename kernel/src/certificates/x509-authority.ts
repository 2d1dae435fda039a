import { X509Certificate } from 'node:crypto';
import { PosternError } from '@postern/plugin-sdk';
import { isConstrained, type AuthorityKind } from './authority-kind.js';
import { authorityLifetimeMs, clockSkewMs } from './lifetime.js';
import type { SigningKey } from './signing-key.js';
import { buildCertificate, keyIdentifier, x509Name, type X509Issuer } from './x509-build.js';
import { authorityKeyIdentifier, basicConstraints, keyUsage, nameConstraints } from './x509-extension.js';
import { readCertificateFields } from './x509-fields.js';

/** Makes the self-signed certificate of an authority: no intermediate below it, `host` and `db` held to their cluster. */
export async function createAuthorityCertificate(
  cluster: string,
  kind: AuthorityKind,
  key: SigningKey,
  now: Date,
): Promise<string> {
  // The key's own number tells the old from the new while both are trusted, for programs that look issuers up by name.
  const number = keyIdentifier(key.publicKey).toString('hex', 0, 4);
  const name = x509Name([
    ['O', cluster],
    ['CN', `${kind} authority ${number}`],
  ]);
  const { pem } = await buildCertificate(
    {
      subject: name,
      publicKey: key.publicKey,
      period: {
        notBefore: new Date(now.getTime() - clockSkewMs),
        notAfter: new Date(now.getTime() + authorityLifetimeMs),
      },
      extensions: [
        basicConstraints('authority'),
        keyUsage('certificates and revocation lists'),
        ...(isConstrained(kind) ? [nameConstraints(cluster)] : []),
      ],
    },
    { name, key },
  );
  return pem;
}

/** An authority that can issue: its certificate's end, and what {@link buildCertificate} signs with. */
export interface X509Authority extends X509Issuer {
  readonly notAfter: Date;
  /** The extension that says so in every certificate of this authority. */
  readonly identifier: Buffer;
}

/** Joins an authority's certificate to its private half. Rejects with `internal` where they do not belong together. */
export function openAuthority(kind: AuthorityKind, pem: string, key: SigningKey): X509Authority {
  const certificate = new X509Certificate(pem);
  if (!certificate.publicKey.equals(key.publicKey))
    throw new PosternError('internal', `the key of the ${kind} authority is not that of its certificate`);
  const { subject, notAfter } = readCertificateFields(certificate.raw);
  return { name: subject, key, notAfter, identifier: authorityKeyIdentifier(keyIdentifier(key.publicKey)) };
}
