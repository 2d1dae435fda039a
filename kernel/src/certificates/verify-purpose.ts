import { refused } from './refusal.js';
import { extensionKey, extensionOid } from './x509-fields.js';
import type { SignedCertificate } from './trusted-authority.js';
import type { AuthorityKind } from './authority-kind.js';

const understood = new Set(
  [
    extensionOid.keyUsage,
    extensionOid.subjectAltName,
    extensionOid.basicConstraints,
    extensionOid.extendedKeyUsage,
  ].map(extensionKey),
);

/** What a certificate must be for, besides who signed it. */
export interface Purpose {
  /** What the certificate must be, in words: `a user`. */
  readonly title: string;
  /** Exactly these extended key usages, sorted. */
  readonly usages: readonly string[];
  /** The key of the extension that it must carry, and of the one that tells that it is something else. */
  readonly extension: string;
  readonly foreign: string;
}

/** The value of the purpose's extension, after every other sign of the purpose agreed. Rejects with `unauthenticated`. */
export function checkPurpose({ certificate, fields }: SignedCertificate<AuthorityKind>, purpose: Purpose): Buffer {
  const wrong = (reason: string): Error => refused(`the certificate is not that of ${purpose.title}: ${reason}`);
  if (certificate.ca) throw wrong('it is an authority');
  const usages = [...(certificate.keyUsage ?? [])].sort();
  if (usages.join() !== purpose.usages.join()) throw wrong('its key usage is another');
  for (const [key, { critical }] of fields.extensions)
    if (critical && !understood.has(key)) throw wrong('it has a critical extension that is not understood');
  if (fields.extensions.has(purpose.foreign)) throw wrong('it carries an extension of another purpose');
  const extension = fields.extensions.get(purpose.extension);
  if (!extension) throw wrong('it does not say who the holder is');
  return extension.value;
}
