import { X509Certificate } from 'node:crypto';
import { PosternError } from '@postern/plugin-sdk';
import { isConstrained, type AuthorityKind } from './authority-kind.js';
import { derContext, derElement, derTag } from './der.js';
import { authorityLifetimeMs, clockSkewMs } from './lifetime.js';
import type { SigningKey } from './signing-key.js';
import { buildCertificate, keyIdentifier, x509Name, type X509Issuer } from './x509-build.js';
import { extensionOid, readCertificateFields } from './x509-fields.js';
import { BasicConstraintsExtension, Extension, KeyUsageFlags, KeyUsagesExtension, Name } from './x509-library.js';

/** Makes the self-signed certificate of an authority: no intermediate below it, `host` and `db` held to their cluster. */
export async function createAuthorityCertificate(
  cluster: string,
  kind: AuthorityKind,
  key: SigningKey,
  now: Date,
): Promise<string> {
  // The key's own number tells the old from the new while both are trusted, for programs that look issuers up by name.
  const number = keyIdentifier(key.publicKey).slice(0, 8);
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
        new BasicConstraintsExtension(true, 0, true),
        new KeyUsagesExtension(KeyUsageFlags.keyCertSign | KeyUsageFlags.cRLSign, true),
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
}

/** Joins an authority's certificate to its private half. Rejects with `internal` where they do not belong together. */
export function openAuthority(kind: AuthorityKind, pem: string, key: SigningKey): X509Authority {
  const certificate = new X509Certificate(pem);
  if (!certificate.publicKey.equals(key.publicKey))
    throw new PosternError('internal', `the key of the ${kind} authority is not that of its certificate`);
  const { subject, notAfter } = readCertificateFields(certificate.raw);
  return { name: new Name(new Uint8Array(subject)), key, notAfter };
}

/**
 * Name constraints (RFC 5280 section 4.2.1.10): DNS names only inside the
 * cluster. A form that is not mentioned would be free, so mail addresses and
 * URIs are held to the cluster too, and no IP address is possible at all.
 */
function nameConstraints(cluster: string): Extension {
  const base = (tag: number, value: Uint8Array): Buffer => derElement(derTag.sequence, derElement(tag, value));
  const inside = [generalName.dns, generalName.email, generalName.uri].map((tag) => base(tag, Buffer.from(cluster)));
  const addresses = [4, 16].map((bytes) => base(generalName.address, Buffer.alloc(2 * bytes)));
  const value = derElement(
    derTag.sequence,
    derElement(derContext(0), ...inside),
    derElement(derContext(1), ...addresses),
  );
  return new Extension(extensionOid.nameConstraints, true, new Uint8Array(value));
}

/** Context-specific, primitive tags of GeneralName (RFC 5280 section 4.2.1.6). */
const generalName = { email: 0x81, dns: 0x82, uri: 0x86, address: 0x87 } as const;
