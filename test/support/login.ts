import { generateKeyPairSync } from 'node:crypto';
import type { OutputOf, login } from '@postern/kernel/api/contract';
import { encodeOpenSshKey, encodeOpenSshPrivateKey, openSshLine } from '@postern/kernel/certificates';

/** What a login gave, with the private keys that it is about. */
export type TestLogin = OutputOf<typeof login> & {
  /** PKCS#8 PEM, for `certificate`. */
  readonly key: string;
  /** `openssh-key-v1`, for `sshCertificate`. */
  readonly sshKey: string;
};

/** Fresh key pairs, and the part of a login request that is about them. */
export function newUserKeys(): {
  readonly tls: string;
  readonly openSsh: string;
  readonly request: { readonly tlsPublicKey: string; readonly sshPublicKey: string };
} {
  const tls = generateKeyPairSync('ec', {
    namedCurve: 'P-256',
    publicKeyEncoding: { format: 'pem', type: 'spki' },
    privateKeyEncoding: { format: 'pem', type: 'pkcs8' },
  });
  const openSsh = generateKeyPairSync('ed25519');
  return {
    tls: tls.privateKey,
    openSsh: encodeOpenSshPrivateKey(openSsh.privateKey, 'test'),
    request: { tlsPublicKey: tls.publicKey, sshPublicKey: openSshLine(encodeOpenSshKey(openSsh.publicKey), 'test') },
  };
}
