import { createPublicKey, verify, type KeyObject } from 'node:crypto';
import { WireReader, withoutLeadingZeros } from './wire.js';

const minimumRsaBits = 2048;

const curves: Readonly<Record<string, { readonly jwk: string; readonly bytes: number }>> = {
  nistp256: { jwk: 'P-256', bytes: 32 },
  nistp384: { jwk: 'P-384', bytes: 48 },
  nistp521: { jwk: 'P-521', bytes: 66 },
};

/** The signature algorithms that are made and accepted: no SHA-1, no DSA. `null` hashes inside the algorithm. */
const signatureAlgorithms: Readonly<Record<string, { readonly keyType: string; readonly hash: string | null }>> = {
  'ssh-ed25519': { keyType: 'ssh-ed25519', hash: null },
  'ecdsa-sha2-nistp256': { keyType: 'ecdsa-sha2-nistp256', hash: 'sha256' },
  'ecdsa-sha2-nistp384': { keyType: 'ecdsa-sha2-nistp384', hash: 'sha384' },
  'ecdsa-sha2-nistp521': { keyType: 'ecdsa-sha2-nistp521', hash: 'sha512' },
  'rsa-sha2-512': { keyType: 'ssh-rsa', hash: 'sha512' },
  'rsa-sha2-256': { keyType: 'ssh-rsa', hash: 'sha256' },
};

/** The number of strings that follow the type in a public key of this type, or `undefined` for a type that is not accepted. */
export function fieldsOfKeyType(type: string): number | undefined {
  if (type === 'ssh-ed25519') return 1;
  if (type === 'ssh-rsa' || (type.startsWith('ecdsa-sha2-') && type.slice(11) in curves)) return 2;
  return undefined;
}

/** The hash of a signature algorithm, for {@link verify} and `sign`. */
export function hashOf(algorithm: string): string | null {
  const known = signatureAlgorithms[algorithm];
  if (!known) throw new RangeError(`signature algorithm ${JSON.stringify(algorithm)} is not accepted`);
  return known.hash;
}

/** Reads a public key (RFC 4253, section 6.6; RFC 5656; RFC 8709). Throws for an unknown type, a weak key or stray bytes. */
function readPublicKey(blob: Buffer): KeyObject {
  const reader = new WireReader(blob);
  const type = reader.text(64);
  const jwk = readJwk(type, reader);
  reader.end();
  return createPublicKey({ key: jwk, format: 'jwk' });
}

/**
 * True where `signature` (`string algorithm | string value`) is a signature of
 * `data` by exactly this algorithm and this key. Malformed input is false.
 */
export function verifySignature(key: Buffer, algorithm: string, data: Buffer, signature: Buffer): boolean {
  try {
    const reader = new WireReader(signature);
    const named = reader.text(64);
    const value = reader.string();
    reader.end();
    const known = signatureAlgorithms[algorithm];
    if (named !== algorithm || known?.keyType !== new WireReader(key).text(64)) return false;
    const publicKey = readPublicKey(key);
    if (!algorithm.startsWith('ecdsa-')) return verify(known.hash, data, publicKey, value);
    const fixed = fixedLength(value, curves[algorithm.slice(11)]?.bytes ?? 0);
    return verify(known.hash, data, { key: publicKey, dsaEncoding: 'ieee-p1363' }, fixed);
  } catch {
    return false;
  }
}

function readJwk(type: string, reader: WireReader): Record<string, string> {
  if (type === 'ssh-ed25519') {
    const x = reader.string();
    if (x.length !== 32) throw new RangeError('an Ed25519 key has 32 bytes');
    return { kty: 'OKP', crv: 'Ed25519', x: x.toString('base64url') };
  }
  if (type === 'ssh-rsa') {
    const e = withoutLeadingZeros(reader.string());
    const n = withoutLeadingZeros(reader.string());
    if (n.length * 8 < minimumRsaBits) throw new RangeError(`an RSA key needs ${minimumRsaBits} bits`);
    return { kty: 'RSA', e: e.toString('base64url'), n: n.toString('base64url') };
  }
  return readCurvePoint(type, reader);
}

function readCurvePoint(type: string, reader: WireReader): Record<string, string> {
  const name = type.startsWith('ecdsa-sha2-') ? type.slice(11) : '';
  const curve = Object.hasOwn(curves, name) ? curves[name] : undefined;
  if (!curve || reader.text(64) !== name) throw new RangeError(`key type ${JSON.stringify(type)} is not accepted`);
  const point = reader.string();
  if (point.length !== 1 + 2 * curve.bytes || point[0] !== 4) throw new RangeError('not an uncompressed curve point');
  const x = point.subarray(1, 1 + curve.bytes).toString('base64url');
  const y = point.subarray(1 + curve.bytes).toString('base64url');
  return { kty: 'EC', crv: curve.jwk, x, y };
}

/** `mpint r | mpint s` as the two numbers side by side, each of the curve's length. */
function fixedLength(value: Buffer, bytes: number): Buffer {
  const reader = new WireReader(value);
  const numbers = [reader.string(), reader.string()].map((number) => {
    const significant = withoutLeadingZeros(number);
    if (significant.length > bytes) throw new RangeError('a number of the signature is too large');
    return Buffer.concat([Buffer.alloc(bytes - significant.length), significant]);
  });
  reader.end();
  return Buffer.concat(numbers);
}
