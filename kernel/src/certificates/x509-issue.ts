import type { KeyObject } from 'node:crypto';
import { encodeIdentityExtension, identityOid, type IdentityClaims } from './identity-extension.js';
import type { Period } from './lifetime.js';
import { encodeServiceExtension, serviceOid, type ServiceClaims } from './service-extension.js';
import type { X509Authority } from './x509-authority.js';
import { buildCertificate, keyIdentifier, x509Name, type IssuedX509 } from './x509-build.js';
import {
  AuthorityKeyIdentifierExtension,
  BasicConstraintsExtension,
  ExtendedKeyUsageExtension,
  Extension,
  KeyUsageFlags,
  KeyUsagesExtension,
  SubjectAlternativeNameExtension,
  type Name,
} from './x509-library.js';

/** Extended key usages (RFC 5280 section 4.2.1.12). */
export const serverAuth = '1.3.6.1.5.5.7.3.1';
export const clientAuth = '1.3.6.1.5.5.7.3.2';

interface Leaf {
  readonly publicKey: KeyObject;
  readonly period: Period;
}

/** A user's client certificate. The subject says the user and no more; the extension says the rest. */
export const issueUserCertificate = (
  leaf: Leaf & { readonly claims: IdentityClaims },
  authority: X509Authority,
): Promise<IssuedX509> =>
  issue(leaf, authority, {
    subject: x509Name([['CN', leaf.claims.user]]),
    usages: [clientAuth],
    extension: new Extension(identityOid, false, new Uint8Array(encodeIdentityExtension(leaf.claims))),
  });

/** The certificate of a running service: client and server at once. Its subject has no common name to mistake for a user's. */
export const issueServiceCertificate = (
  leaf: Leaf & { readonly claims: ServiceClaims; readonly names: readonly string[] },
  authority: X509Authority,
): Promise<IssuedX509> =>
  issue(leaf, authority, {
    subject: x509Name([['OU', leaf.claims.name]]),
    usages: [clientAuth, serverAuth],
    names: leaf.names,
    extension: new Extension(serviceOid, false, new Uint8Array(encodeServiceExtension(leaf.claims))),
  });

/** A server certificate for these names, and for nothing else. */
export const issueServerCertificate = (
  leaf: Leaf & { readonly names: readonly string[] },
  authority: X509Authority,
): Promise<IssuedX509> =>
  issue(leaf, authority, {
    // A common name longer than 64 characters is not valid; clients read the alternative names.
    subject: x509Name([['CN', leaf.names.find((name) => name.length <= 64) ?? 'server']]),
    usages: [serverAuth],
    names: leaf.names,
  });

/** A client certificate for a database that takes its user from the common name. */
export const issueDatabaseClientCertificate = (
  leaf: Leaf & { readonly name: string },
  authority: X509Authority,
): Promise<IssuedX509> => issue(leaf, authority, { subject: x509Name([['CN', leaf.name]]), usages: [clientAuth] });

interface Profile {
  readonly subject: Name;
  readonly usages: readonly string[];
  readonly names?: readonly string[];
  readonly extension?: Extension;
}

function issue(leaf: Leaf, authority: X509Authority, profile: Profile): Promise<IssuedX509> {
  const names = (profile.names ?? []).map((value) => ({ type: 'dns' as const, value }));
  return buildCertificate(
    {
      subject: profile.subject,
      publicKey: leaf.publicKey,
      period: leaf.period,
      extensions: [
        new BasicConstraintsExtension(false, undefined, true),
        new KeyUsagesExtension(KeyUsageFlags.digitalSignature, true),
        new ExtendedKeyUsageExtension([...profile.usages]),
        ...(names.length > 0 ? [new SubjectAlternativeNameExtension(names)] : []),
        new AuthorityKeyIdentifierExtension(keyIdentifier(authority.key.publicKey)),
        ...(profile.extension ? [profile.extension] : []),
      ],
    },
    authority,
  );
}
