import { refused } from './refusal.js';
import { extensionOid } from './x509-fields.js';
import type { SignedCertificate } from './trusted-authority.js';
import type { AuthorityKind } from './authority-kind.js';

const understood = [
  extensionOid.keyUsage,
  extensionOid.subjectAltName,
  extensionOid.basicConstraints,
  extensionOid.extendedKeyUsage,
];

/** What a certificate must be for, besides who signed it. */
export interface Purpose {
  /** What the certificate must be, in words: `a user`. */
  readonly title: string;
  /** Exactly these extended key usages. */
  readonly usages: readonly string[];
  /** The extension that it must carry, and those that tell that it is something else. */
  readonly extension: string;
  readonly foreign: readonly string[];
}

/** The value of the purpose's extension, after every other sign of the purpose agreed. Rejects with `unauthenticated`. */
export function checkPurpose({ certificate, fields }: SignedCertificate<AuthorityKind>, purpose: Purpose): Buffer {
  const wrong = (reason: string): Error => refused(`the certificate is not that of ${purpose.title}: ${reason}`);
  if (certificate.ca) throw wrong('it is an authority');
  const usages = [...(certificate.keyUsage ?? [])].sort();
  if (usages.join() !== [...purpose.usages].sort().join()) throw wrong('its key usage is another');
  if (!fields.understands(understood)) throw wrong('it has a critical extension that is not understood');
  if (purpose.foreign.some((oid) => fields.extension(oid))) throw wrong('it carries an extension of another purpose');
  const value = fields.extension(purpose.extension);
  if (!value) throw wrong('it does not say who the holder is');
  return value;
}
