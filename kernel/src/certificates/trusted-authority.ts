import { X509Certificate, type KeyObject } from 'node:crypto';
import type { AuthorityBundle } from './authority-bundle.js';
import type { AuthorityKind } from './authority-kind.js';
import { decodeOpenSshKey } from './openssh-key.js';
import { parseOpenSshLine } from './openssh-lines.js';
import type { OpenSshPublicKey } from './openssh-signature.js';
import { parsed, refused } from './refusal.js';
import { readCertificateFields, type CertificateFields } from './x509-fields.js';

/** A bundle made ready for verifying: its texts are parsed once, not for each connection. */
export interface TrustedAuthority<K extends AuthorityKind = AuthorityKind> {
  readonly kind: K;
  readonly cluster: string;
  readonly x509: readonly TrustedX509[];
  readonly openSsh: readonly OpenSshPublicKey[];
}

interface TrustedX509 {
  readonly certificate: X509Certificate;
  readonly publicKey: KeyObject;
  readonly notAfter: Date;
}

/** Parses a bundle. Rejects with `unauthenticated` for one that is malformed. */
export function trustAuthority<K extends AuthorityKind>(bundle: AuthorityBundle<K>): TrustedAuthority<K> {
  const what = `the ${bundle.kind} authority of ${bundle.cluster}`;
  return parsed(what, () => ({
    kind: bundle.kind,
    cluster: bundle.cluster,
    x509: bundle.x509.map((pem) => {
      const certificate = new X509Certificate(pem);
      const { notAfter } = readCertificateFields(certificate.raw);
      return { certificate, publicKey: certificate.publicKey, notAfter };
    }),
    openSsh: bundle.openSsh.map((line) => {
      const blob = parseOpenSshLine(line);
      return { blob, key: decodeOpenSshKey(blob) };
    }),
  }));
}

/** Longer than any that is issued: the extension is at most 16 KiB, and keys and names come on top. */
const maximumCertificateLength = 32_768;

/** A certificate whose signature is one of a trusted authority. Whether it is valid now is not decided yet. */
export interface SignedCertificate<K extends AuthorityKind> {
  readonly certificate: X509Certificate;
  readonly fields: CertificateFields;
  readonly authority: TrustedAuthority<K>;
}

/**
 * Finds the authority that issued a certificate and verifies its signature.
 * Takes what the TLS stack hands out, PEM or DER. Rejects with `unauthenticated`.
 */
export function verifyIssuer<K extends AuthorityKind>(
  input: X509Certificate | string | Buffer,
  trust: readonly TrustedAuthority<K>[],
  now: Date,
): SignedCertificate<K> {
  if (!(input instanceof X509Certificate) && input.length > 2 * maximumCertificateLength)
    throw refused('the certificate is too long');
  const certificate =
    input instanceof X509Certificate ? input : parsed('the certificate', () => new X509Certificate(input));
  if (certificate.raw.length > maximumCertificateLength) throw refused('the certificate is too long');
  for (const authority of trust) {
    const issuer = authority.x509.find(
      (trusted) => now < trusted.notAfter && certificate.checkIssued(trusted.certificate),
    );
    if (!issuer || !certificate.verify(issuer.publicKey)) continue;
    const fields = parsed('the certificate', () => readCertificateFields(certificate.raw));
    return { certificate, fields, authority };
  }
  if (certificate.checkIssued(certificate)) throw refused('the certificate is self-signed');
  throw refused(`the certificate is of an authority that is not trusted here: ${oneLine(certificate.issuer)}`);
}

/** A name as untrusted text in an operator's message: one line, not long. */
const oneLine = (name: string): string => JSON.stringify(name.slice(0, 200));
