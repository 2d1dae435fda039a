import { createPublicKey, type KeyObject } from 'node:crypto';
import { PosternError } from '@postern/plugin-sdk';

/** Where a public key is certified. OpenSSH knows one more curve than TLS clients agree on. */
export type KeyUse = 'tls' | 'openssh';

const curves: Readonly<Record<KeyUse, readonly string[]>> = {
  tls: ['prime256v1', 'secp384r1'],
  openssh: ['prime256v1', 'secp384r1', 'secp521r1'],
};

const maximumPemLength = 8192;
const rsa = { minimumBits: 2048, maximumBits: 8192, minimumExponent: 65537n };

/**
 * A public key that may be certified: ECDSA on a NIST curve, Ed25519, or RSA of
 * 2048 to 8192 bits. Takes a PEM text (`PUBLIC KEY`, RFC 7468 section 13) or a
 * key object. A private key is refused and not looked at: it never leaves its
 * owner. Rejects with `invalid_argument`.
 */
export function acceptPublicKey(input: string | KeyObject, use: KeyUse): KeyObject {
  const key = typeof input === 'string' ? fromPem(input) : input;
  if (key.type !== 'public') throw unacceptable('only a public key can be certified');
  const fault = keyFault(key, use);
  if (fault !== undefined) throw unacceptable(fault);
  return key;
}

function fromPem(pem: string): KeyObject {
  if (pem.length > maximumPemLength) throw unacceptable('the public key is too long');
  // createPublicKey would also take a private key, a certificate or a PKCS#1 key.
  if (!/^\s*-----BEGIN PUBLIC KEY-----[\sA-Za-z0-9+/=]+-----END PUBLIC KEY-----\s*$/.test(pem))
    throw unacceptable('a public key is a PEM block of the type PUBLIC KEY');
  try {
    return createPublicKey({ key: pem, format: 'pem' });
  } catch (cause) {
    throw unacceptable('the public key does not parse', cause);
  }
}

function keyFault(key: KeyObject, use: KeyUse): string | undefined {
  const type = key.asymmetricKeyType ?? 'unknown';
  const { namedCurve = '', modulusLength = 0, publicExponent = 0n } = key.asymmetricKeyDetails ?? {};
  if (type === 'ed25519') return undefined;
  if (type === 'rsa') return rsaFault(modulusLength, publicExponent);
  if (type !== 'ec') return `keys of type ${type} are not accepted`;
  return curves[use].includes(namedCurve) ? undefined : `curve ${namedCurve} is not accepted`;
}

function rsaFault(bits: number, exponent: bigint): string | undefined {
  if (bits < rsa.minimumBits || bits > rsa.maximumBits)
    return `an RSA key must have ${rsa.minimumBits} to ${rsa.maximumBits} bits, this one has ${bits}`;
  if (exponent < rsa.minimumExponent || exponent % 2n === 0n) return 'the exponent of the RSA key is too small';
  return undefined;
}

const unacceptable = (reason: string, cause?: unknown): PosternError =>
  PosternError.public('invalid_argument', reason, cause);
