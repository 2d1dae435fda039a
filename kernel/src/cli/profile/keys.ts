import { generateKeyPairSync } from 'node:crypto';
import { encodeOpenSshKey } from '../../certificates/openssh-key.js';
import { openSshLine } from '../../certificates/openssh-lines.js';
import { encodeOpenSshPrivateKey } from '../../certificates/openssh-private-key.js';

/** A user's fresh key pairs. The private halves are written to the profile and go nowhere else. */
export interface UserKeys {
  /** PKCS#8 and SPKI, PEM; ECDSA P-256. */
  readonly tls: { readonly privateKey: string; readonly publicKey: string };
  /** `openssh-key-v1` and one public key line; Ed25519. */
  readonly openSsh: { readonly privateKey: string; readonly publicKey: string };
}

export function generateUserKeys(comment: string): UserKeys {
  const tls = generateKeyPairSync('ec', {
    namedCurve: 'P-256',
    publicKeyEncoding: { format: 'pem', type: 'spki' },
    privateKeyEncoding: { format: 'pem', type: 'pkcs8' },
  });
  const openSsh = generateKeyPairSync('ed25519');
  return {
    tls,
    openSsh: {
      privateKey: encodeOpenSshPrivateKey(openSsh.privateKey, comment),
      publicKey: openSshLine(encodeOpenSshKey(openSsh.publicKey), comment),
    },
  };
}
