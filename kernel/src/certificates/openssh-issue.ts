import { randomBytes, type KeyObject } from 'node:crypto';
import { PosternError } from '@postern/plugin-sdk';
import type { Period } from './lifetime.js';
import {
  encodeOpenSshBody,
  maximumOpenSshCertificateLength,
  maximumOpenSshPrincipals,
  type OpenSshCertificateKind,
} from './openssh-certificate.js';
import { encodeOpenSshKey, openSshTypeOf } from './openssh-key.js';
import { signOpenSsh } from './openssh-signature.js';
import { WireWriter } from './openssh-wire.js';
import type { SigningKey } from './signing-key.js';

/** What the holder may do besides running commands; each is an extension that a stock server honours. */
export interface OpenSshPermissions {
  readonly pty?: boolean;
  readonly portForwarding?: boolean;
  readonly agentForwarding?: boolean;
  readonly x11Forwarding?: boolean;
  readonly userRc?: boolean;
}

const permissionNames: Readonly<Record<keyof OpenSshPermissions, string>> = {
  pty: 'permit-pty',
  portForwarding: 'permit-port-forwarding',
  agentForwarding: 'permit-agent-forwarding',
  x11Forwarding: 'permit-X11-forwarding',
  userRc: 'permit-user-rc',
};

/** The extensions that grant these permissions. */
export const permissionExtensions = (permissions: OpenSshPermissions): readonly (readonly [string, string])[] =>
  Object.entries(permissionNames)
    .filter(([permission]) => permissions[permission as keyof OpenSshPermissions] === true)
    .map(([, name]) => [name, ''] as const);

export interface OpenSshCertificateRequest {
  readonly kind: OpenSshCertificateKind;
  readonly key: KeyObject;
  readonly keyId: string;
  readonly principals: readonly string[];
  readonly period: Period;
  readonly criticalOptions?: Iterable<readonly [string, string]>;
  readonly extensions?: Iterable<readonly [string, string]>;
}

/**
 * Signs a certificate with a random serial number. Rejects with
 * `invalid_argument`, above all for a certificate without principals, which
 * OpenSSH would take for one that is valid for everybody.
 */
export async function issueOpenSshCertificate(
  request: OpenSshCertificateRequest,
  authority: SigningKey,
): Promise<{ blob: Buffer; serial: bigint }> {
  checkPrincipals(request.principals);
  const authorityKey = encodeOpenSshKey(authority.publicKey);
  // The highest bit stays clear and the next is set: a number of 16 hexadecimal digits in every tool.
  const serial = (randomBytes(8).readBigUInt64BE() & 0x3fff_ffff_ffff_ffffn) | 0x4000_0000_0000_0000n;
  const signed = encodeOpenSshBody(
    {
      kind: request.kind,
      serial,
      keyId: request.keyId,
      principals: request.principals,
      validAfter: seconds(request.period.notBefore),
      validBefore: seconds(request.period.notAfter),
      criticalOptions: new Map(request.criticalOptions),
      extensions: new Map(request.extensions),
    },
    { key: encodeOpenSshKey(request.key), nonce: randomBytes(32), authority: authorityKey },
  );
  const signature = await signOpenSsh(authority, openSshTypeOf(authorityKey), signed);
  const blob = new WireWriter().raw(signed).string(signature).end();
  if (blob.length > maximumOpenSshCertificateLength)
    throw PosternError.public('invalid_argument', 'the certificate would be too long');
  return { blob, serial };
}

function checkPrincipals(principals: readonly string[]): void {
  if (principals.length === 0)
    throw PosternError.public('invalid_argument', 'a certificate without principals would be valid for everybody');
  if (principals.length > maximumOpenSshPrincipals)
    throw PosternError.public(
      'invalid_argument',
      `a certificate carries at most ${maximumOpenSshPrincipals} principals`,
    );
  // A comma separates principals in the output and in the files of other tools.
  const bad = principals.find((principal) => !/^[^\p{C}\p{Z},"]{1,256}$/u.test(principal));
  if (bad !== undefined)
    throw PosternError.public('invalid_argument', `principal ${JSON.stringify(bad.slice(0, 80))} is not a login name`);
}

const seconds = (date: Date): bigint => BigInt(Math.floor(date.getTime() / 1000));
