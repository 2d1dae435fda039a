import type { X509Certificate } from 'node:crypto';
import { identityOid } from './identity-extension.js';
import { checkCluster, checkValidity, refused } from './refusal.js';
import { decodeServiceExtension, serviceOid, type ServiceIdentity, type ServiceRole } from './service-extension.js';
import { verifyIssuer, type TrustedAuthority } from './trusted-authority.js';
import { checkPurpose } from './verify-purpose.js';
import { extensionKey } from './x509-fields.js';
import { clientAuth, serverAuth } from './x509-issue.js';

const purpose = {
  title: 'a service',
  usages: [serverAuth, clientAuth],
  extension: extensionKey(serviceOid),
  foreign: extensionKey(identityOid),
};

/**
 * Which service a certificate says the other side is, one that fills `role`.
 * Rejects with `expired` or `unauthenticated`; a user's certificate, and the
 * server certificate of a resource, are refused whatever they are called.
 */
export function verifyServiceCertificate(
  input: X509Certificate | string | Buffer,
  trust: readonly TrustedAuthority<'host'>[],
  role: ServiceRole,
  now: Date,
): ServiceIdentity {
  const signed = verifyIssuer(input, trust, now);
  const extension = checkPurpose(signed, purpose);
  const { notBefore, notAfter } = signed.fields;
  checkValidity('the service certificate', { from: notBefore, until: notAfter }, now, 'join the cluster again');
  const claims = decodeServiceExtension(extension);
  checkCluster(claims.cluster, signed.authority.cluster);
  if (!claims.services.includes(role)) throw refused(`service ${claims.name} is not of the role ${role}`);
  return { ...claims, serial: signed.certificate.serialNumber.toLowerCase(), expires: notAfter };
}
