import { X509Certificate } from 'node:crypto';
import type { KeySet } from './key-set.js';
import { parseOpenSshCertificate } from './openssh-certificate.js';
import { parseOpenSshLine } from './openssh-lines.js';

/**
 * Whether a certificate, in PEM or as an OpenSSH line, is of the key that signs
 * now. Tells what to renew; verifies nothing.
 */
export function isOfActiveKey(certificate: string, { active, trusted }: KeySet): boolean {
  const key = trusted.find(({ id }) => id === active[0]);
  if (!certificate.startsWith('-----')) {
    const { authority } = parseOpenSshCertificate(parseOpenSshLine(certificate));
    return key?.openssh !== undefined && parseOpenSshLine(key.openssh).equals(authority);
  }
  return key?.x509 !== undefined && new X509Certificate(certificate).checkIssued(new X509Certificate(key.x509));
}
