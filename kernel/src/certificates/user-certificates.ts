import type { KeyObject } from 'node:crypto';
import { PosternError } from '@postern/plugin-sdk';
import { encodeIdentity, identityExtensionName, type IdentityClaims } from './identity-extension.js';
import { userLifetime, validityPeriod, type Period } from './lifetime.js';
import { issueOpenSshCertificate, permissionExtensions, type OpenSshPermissions } from './openssh-issue.js';
import { decodeOpenSshKey } from './openssh-key.js';
import { openSshLine, parseOpenSshLine } from './openssh-lines.js';
import { sourceAddress, sourceAddressOption } from './openssh-source-address.js';
import { acceptPublicKey } from './public-key.js';
import type { SigningKey } from './signing-key.js';
import type { X509Authority } from './x509-authority.js';
import { issueUserCertificate } from './x509-issue.js';

export interface UserCertificateRequest {
  /** What the certificates say; the cluster is the issuer's. */
  readonly claims: Omit<IdentityClaims, 'cluster'>;
  /** The user's public keys; one certificate for each. A PEM text or a key object. */
  readonly tlsPublicKey?: string | KeyObject;
  /** Also an OpenSSH line. */
  readonly openSshPublicKey?: string | KeyObject;
  /** 12 hours by default, cut to 30 hours. */
  readonly lifetimeMs?: number;
  /** The logins of the OpenSSH certificate: at least one. */
  readonly openSshPrincipals?: readonly string[];
  readonly openSshPermissions?: OpenSshPermissions;
}

/** A certificate, and its serial number in lower-case hexadecimal. */
export interface Issued {
  readonly certificate: string;
  readonly serial: string;
}

export interface UserCertificates {
  readonly expires: Date;
  /** PEM. */
  readonly tls?: Issued;
  /** One line, as in a `-cert.pub` file. */
  readonly openSsh?: Issued;
}

/** Certifies a user's keys; both certificates say the same and end together. Rejects with `invalid_argument`. */
export async function certifyUser(
  request: UserCertificateRequest,
  authority: { readonly cluster: string; readonly x509: X509Authority; readonly openSsh: SigningKey },
  now: Date,
): Promise<UserCertificates> {
  const { tlsPublicKey, openSshPublicKey } = request;
  if (tlsPublicKey === undefined && openSshPublicKey === undefined)
    throw PosternError.public('invalid_argument', 'there is no public key to certify');
  const claims = { ...request.claims, cluster: authority.cluster };
  const period = validityPeriod(userLifetime, request.lifetimeMs, now, authority.x509.notAfter);
  const tls =
    tlsPublicKey &&
    (await issueUserCertificate({ publicKey: acceptPublicKey(tlsPublicKey, 'tls'), period, claims }, authority.x509));
  const openSsh = openSshPublicKey && (await certifyOpenSsh(request, { claims, period }, authority.openSsh));
  return {
    expires: period.notAfter,
    ...(tls && { tls: { certificate: tls.pem, serial: tls.serial } }),
    ...(openSsh && { openSsh }),
  };
}

async function certifyOpenSsh(
  request: UserCertificateRequest,
  { claims, period }: { claims: IdentityClaims; period: Period },
  authority: SigningKey,
): Promise<Issued> {
  const { pinnedAddress } = claims;
  const { blob, serial } = await issueOpenSshCertificate(
    {
      kind: 'user',
      key: acceptOpenSshKey(request.openSshPublicKey ?? ''),
      keyId: claims.user,
      principals: request.openSshPrincipals ?? [],
      period,
      criticalOptions: pinnedAddress === undefined ? [] : [[sourceAddressOption, sourceAddress(pinnedAddress)]],
      extensions: [
        ...permissionExtensions(request.openSshPermissions ?? {}),
        [identityExtensionName, encodeIdentity(claims)],
      ],
    },
    authority,
  );
  return { certificate: openSshLine(blob, claims.user), serial: serial.toString(16) };
}

/** A key object, a PEM text or an OpenSSH line. Rejects with `invalid_argument`. */
export function acceptOpenSshKey(input: string | KeyObject): KeyObject {
  if (typeof input !== 'string' || input.trimStart().startsWith('-----')) return acceptPublicKey(input, 'openssh');
  const blob = parseOpenSshLine(input);
  try {
    return decodeOpenSshKey(blob);
  } catch (cause) {
    throw PosternError.is(cause)
      ? cause
      : PosternError.public('invalid_argument', 'the OpenSSH public key does not parse', cause);
  }
}
