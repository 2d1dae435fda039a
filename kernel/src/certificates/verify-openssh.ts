import { decodeIdentity, identityExtensionName, type CertifiedIdentity } from './identity-extension.js';
import { isInsideCluster } from './name-grammar.js';
import { openSshDate, type OpenSshCertificate } from './openssh-certificate.js';
import { sourceAddress, sourceAddressOption } from './openssh-source-address.js';
import { checkCluster, loginAgain, refused } from './refusal.js';
import type { TrustedAuthority } from './trusted-authority.js';
import { verifyOpenSshCertificate } from './verify-openssh-certificate.js';

/**
 * Who an OpenSSH user certificate of the cluster says the user is. Rejects with
 * `expired` or `unauthenticated`. Generation, locks, source address, bound
 * resource and login are the caller's to check.
 */
export function verifyOpenSshUserCertificate(
  blob: Buffer,
  trust: readonly TrustedAuthority<'user'>[],
  now: Date,
): CertifiedIdentity {
  const enforced = [sourceAddressOption];
  const { certificate, authority } = verifyOpenSshCertificate(blob, {
    kind: 'user',
    trust,
    now,
    principal: 'any',
    enforced,
    remedy: loginAgain,
  });
  const json = certificate.extensions.get(identityExtensionName);
  if (json === undefined) throw refused('the OpenSSH user certificate does not say who the user is');
  const claims = decodeIdentity(json);
  checkCluster(claims.cluster, authority.cluster);
  if (certificate.keyId !== claims.user) throw refused('the key id of the certificate is not its user');
  const source = claims.pinnedAddress === undefined ? undefined : sourceAddress(claims.pinnedAddress);
  if (certificate.criticalOptions.get(sourceAddressOption) !== source)
    throw refused('the certificate pins another address than its user');
  const serial = certificate.serial.toString(16).padStart(16, '0');
  return { ...claims, serial, expires: openSshDate(certificate.validBefore) };
}

/** Checks that a host certificate of the cluster is good for `name`. Rejects with `expired` or `unauthenticated`. */
export function verifyOpenSshHostCertificate(
  blob: Buffer,
  trust: readonly TrustedAuthority<'host'>[],
  name: string,
  now: Date,
): OpenSshCertificate {
  const { certificate, authority } = verifyOpenSshCertificate(blob, {
    kind: 'host',
    trust,
    now,
    principal: { name },
    enforced: [],
    remedy: 'the host must renew it',
  });
  if (!isInsideCluster(name, authority.cluster))
    throw refused(`host ${JSON.stringify(name)} is not inside ${authority.cluster}, whose authority certified it`);
  return certificate;
}
