import type { ServerConfig } from 'ssh2';

const certificateSuffix = '-cert-v01@openssh.com';

/**
 * What the server offers. No SHA-1, no NIST curves in the key exchange, no
 * encrypt-and-MAC, and above all no compression: it works before
 * authentication, and a packet of 34 kB may inflate to 33 MB. GCM needs no
 * MAC, but the list must not be empty. `compress` and the rest are not for an
 * operator to choose.
 */
export const serverAlgorithms = {
  kex: ['curve25519-sha256', 'curve25519-sha256@libssh.org'],
  cipher: ['aes128-gcm@openssh.com', 'aes256-gcm@openssh.com'],
  hmac: ['hmac-sha2-256-etm@openssh.com', 'hmac-sha2-512-etm@openssh.com'],
  compress: ['none'],
} satisfies ServerConfig['algorithms'];

/** What a client may sign with, as the server announces it (RFC 8308). */
export const acceptedSignatures = [
  'ssh-ed25519',
  'ecdsa-sha2-nistp256',
  'ecdsa-sha2-nistp384',
  'ecdsa-sha2-nistp521',
  'rsa-sha2-512',
  'rsa-sha2-256',
] as const;

/**
 * SSH names a certified key twice: a certificate algorithm in the negotiation
 * and in requests, and the plain signature algorithm inside the signature.
 */
const signatureByCertificate = new Map<string, string>(
  acceptedSignatures.map((signature) => [signature + certificateSuffix, signature]),
);

/** The signature algorithm that goes with a certificate algorithm; `undefined` for one that is not accepted, such as SHA-1. */
export const signatureAlgorithmOf = (certificateAlgorithm: string): string | undefined =>
  signatureByCertificate.get(certificateAlgorithm);

/** The certificate algorithms for a key type, best first: RSA has one for each hash. */
export function certificateAlgorithmsOf(keyType: string): readonly string[] {
  const signatures = keyType === 'ssh-rsa' ? ['rsa-sha2-512', 'rsa-sha2-256'] : [keyType];
  return signatures.map((signature) => signature + certificateSuffix);
}

/** The type of the key inside a certificate of this type, or `undefined` where it is no certificate. */
export const keyTypeOfCertificate = (type: string): string | undefined =>
  type.endsWith(certificateSuffix) ? type.slice(0, -certificateSuffix.length) : undefined;
