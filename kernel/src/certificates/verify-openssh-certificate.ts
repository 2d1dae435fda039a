import type { AuthorityKind } from './authority-kind.js';
import {
  openSshDate,
  parseOpenSshCertificate,
  type OpenSshCertificate,
  type OpenSshCertificateKind,
} from './openssh-certificate.js';
import { decodeOpenSshKey, openSshFingerprint } from './openssh-key.js';
import { verifyOpenSsh } from './openssh-signature.js';
import { checkValidity, parsed, refused } from './refusal.js';
import type { TrustedAuthority } from './trusted-authority.js';

/** What an OpenSSH certificate must be. */
export interface OpenSshExpectation<K extends AuthorityKind> {
  readonly kind: OpenSshCertificateKind;
  readonly trust: readonly TrustedAuthority<K>[];
  readonly now: Date;
  /** The login or the host name that the certificate must be good for; `any` leaves that to the caller. */
  readonly principal: { readonly name: string } | 'any';
  /** The critical options that the caller enforces. */
  readonly enforced: readonly string[];
  /** What the owner of an expired certificate does next. */
  readonly remedy: string;
}

/**
 * Checks a certificate in the order trust, signature, key, kind, validity,
 * principals, critical options. Rejects with `expired` or `unauthenticated`.
 * That the other side holds the key is for the caller to verify.
 */
export function verifyOpenSshCertificate<K extends AuthorityKind>(
  blob: Buffer,
  expected: OpenSshExpectation<K>,
): { certificate: OpenSshCertificate; authority: TrustedAuthority<K> } {
  const what = `the OpenSSH ${expected.kind} certificate`;
  const certificate = parsed(what, () => parseOpenSshCertificate(blob));
  const authority = verifyAuthority(what, certificate, expected.trust);
  parsed('the key of the OpenSSH certificate', () => decodeOpenSshKey(certificate.key));
  if (certificate.kind !== expected.kind) throw refused(`${what}: it is a ${certificate.kind} certificate`);
  const period = { from: openSshDate(certificate.validAfter), until: openSshDate(certificate.validBefore) };
  checkValidity(what, period, expected.now, expected.remedy);
  checkPrincipals(what, certificate.principals, expected.principal);
  for (const name of certificate.criticalOptions.keys())
    if (!expected.enforced.includes(name))
      throw refused(`${what}: the critical option ${JSON.stringify(name.slice(0, 80))} is not understood`);
  return { certificate, authority };
}

function verifyAuthority<K extends AuthorityKind>(
  what: string,
  certificate: OpenSshCertificate,
  trust: readonly TrustedAuthority<K>[],
): TrustedAuthority<K> {
  for (const authority of trust) {
    const by = authority.openSsh.find(({ blob }) => blob.equals(certificate.authority));
    if (!by) continue;
    if (parsed(what, () => verifyOpenSsh(by, certificate.signed, certificate.signature))) return authority;
    throw refused(`${what}: the signature of the authority does not verify`);
  }
  throw refused(`${what} is of an authority that is not trusted here: ${openSshFingerprint(certificate.authority)}`);
}

function checkPrincipals(
  what: string,
  principals: readonly string[],
  wanted: OpenSshExpectation<AuthorityKind>['principal'],
): void {
  // OpenSSH takes a certificate without principals for one that is good for every login.
  if (principals.length === 0) throw refused(`${what} has no principals`);
  if (wanted !== 'any' && !principals.includes(wanted.name))
    throw refused(`${what} is not good for ${JSON.stringify(wanted.name.slice(0, 80))}`);
}
