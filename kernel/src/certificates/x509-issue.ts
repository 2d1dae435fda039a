import type { KeyObject } from 'node:crypto';
import { encodeIdentityExtension, identityOid, type IdentityClaims } from './identity-extension.js';
import type { Period } from './lifetime.js';
import { encodeServiceExtension, serviceOid, type ServiceClaims } from './service-extension.js';
import type { X509Authority } from './x509-authority.js';
import { buildCertificate, x509Name, type IssuedX509 } from './x509-build.js';
import { alternativeNames, basicConstraints, encodeExtension, extendedKeyUsage, keyUsage } from './x509-extension.js';

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
    extension: encodeExtension(identityOid, encodeIdentityExtension(leaf.claims)),
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
    extension: encodeExtension(serviceOid, encodeServiceExtension(leaf.claims)),
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
  readonly subject: Buffer;
  readonly usages: readonly string[];
  readonly names?: readonly string[];
  readonly extension?: Buffer;
}

function issue(leaf: Leaf, authority: X509Authority, profile: Profile): Promise<IssuedX509> {
  const { subject, usages, names = [], extension } = profile;
  return buildCertificate(
    {
      subject,
      publicKey: leaf.publicKey,
      period: leaf.period,
      extensions: [
        basicConstraints('leaf'),
        keyUsage('digital signature'),
        extendedKeyUsage(usages),
        ...(names.length > 0 ? [alternativeNames(names)] : []),
        authority.identifier,
        ...(extension ? [extension] : []),
      ],
    },
    authority,
  );
}
