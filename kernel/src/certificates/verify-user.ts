import type { X509Certificate } from 'node:crypto';
import { decodeIdentityExtension, identityOid, type CertifiedIdentity } from './identity-extension.js';
import { checkCluster, checkValidity, loginAgain, refused } from './refusal.js';
import { serviceOid } from './service-extension.js';
import { verifyIssuer, type TrustedAuthority } from './trusted-authority.js';
import { checkPurpose } from './verify-purpose.js';
import { x509Name } from './x509-build.js';
import { extensionKey } from './x509-fields.js';
import { clientAuth } from './x509-issue.js';

const purpose = {
  title: 'a user',
  usages: [clientAuth],
  extension: extensionKey(identityOid),
  foreign: extensionKey(serviceOid),
};

/**
 * Who a user certificate says the user is. `trust` are the `user` authorities
 * of this cluster and of those whose users may come here. Rejects with `expired`
 * or `unauthenticated`; the message names the reason for operators. Generation,
 * locks, source address and bound resource are the caller's to check.
 */
export function verifyUserCertificate(
  input: X509Certificate | string | Buffer,
  trust: readonly TrustedAuthority<'user'>[],
  now: Date,
): CertifiedIdentity {
  const signed = verifyIssuer(input, trust, now);
  const extension = checkPurpose(signed, purpose);
  const { notBefore, notAfter, subject } = signed.fields;
  checkValidity('the user certificate', { from: notBefore, until: notAfter }, now, loginAgain);
  const claims = decodeIdentityExtension(extension);
  checkCluster(claims.cluster, signed.authority.cluster);
  if (!subject.equals(x509Name([['CN', claims.user]]))) throw refused('the subject of the certificate is not its user');
  return { ...claims, serial: signed.certificate.serialNumber.toLowerCase(), expires: notAfter };
}
