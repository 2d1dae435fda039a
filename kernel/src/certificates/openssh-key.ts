import { createHash, createPublicKey, type KeyObject } from 'node:crypto';
import { PosternError } from '@postern/plugin-sdk';
import { WireReader, WireWriter } from './openssh-wire.js';
import { acceptPublicKey } from './public-key.js';

/** The key types that are certified, and how many fields follow the type in the public key's encoding. */
export const openSshKeyFields = {
  'ssh-ed25519': 1,
  'ssh-rsa': 2,
  'ecdsa-sha2-nistp256': 2,
  'ecdsa-sha2-nistp384': 2,
  'ecdsa-sha2-nistp521': 2,
} as const;

export type OpenSshKeyType = keyof typeof openSshKeyFields;

export const isOpenSshKeyType = (type: string): type is OpenSshKeyType => Object.hasOwn(openSshKeyFields, type);

/** The NIST curves by their name in a JWK: the name in an OpenSSH key and the bytes of one coordinate. */
export const openSshCurves: Readonly<Record<string, { readonly name: string; readonly bytes: number }>> = {
  'P-256': { name: 'nistp256', bytes: 32 },
  'P-384': { name: 'nistp384', bytes: 48 },
  'P-521': { name: 'nistp521', bytes: 66 },
};

/** Encodes a public key (RFC 4253 section 6.6, RFC 5656 section 3.1, RFC 8709 section 4). */
export function encodeOpenSshKey(key: KeyObject): Buffer {
  const jwk = acceptPublicKey(key, 'openssh').export({ format: 'jwk' });
  const field = (name: 'x' | 'y' | 'n' | 'e'): Buffer => Buffer.from(jwk[name] ?? '', 'base64url');
  if (jwk.kty === 'OKP') return new WireWriter().string('ssh-ed25519').string(field('x')).end();
  if (jwk.kty === 'RSA') return new WireWriter().string('ssh-rsa').mpint(field('e')).mpint(field('n')).end();
  const curve = openSshCurves[jwk.crv ?? ''];
  if (!curve) throw new PosternError('internal', `unexpected curve ${jwk.crv}`);
  const point = Buffer.concat([Buffer.from([4]), field('x'), field('y')]);
  return new WireWriter().string(`ecdsa-sha2-${curve.name}`).string(curve.name).string(point).end();
}

/** Decodes a public key. Throws for a type that is not accepted, a weak key and a trailing byte. */
export function decodeOpenSshKey(blob: Buffer): KeyObject {
  const reader = new WireReader(blob);
  const jwk = readJwk(reader, reader.text());
  reader.end();
  return acceptPublicKey(createPublicKey({ key: jwk, format: 'jwk' }), 'openssh');
}

/** The type that an encoded key, or an encoded signature, begins with. */
export const openSshTypeOf = (blob: Buffer): string => new WireReader(blob).text();

/** The fingerprint as `ssh-keygen -l` shows it: `SHA256:` and base64 without padding. */
export const openSshFingerprint = (blob: Buffer): string =>
  `SHA256:${createHash('sha256').update(blob).digest('base64').replace(/=+$/, '')}`;

function readJwk(reader: WireReader, type: string): Record<string, string> {
  const encode = (bytes: Buffer): string => bytes.toString('base64url');
  if (type === 'ssh-ed25519') return { kty: 'OKP', crv: 'Ed25519', x: encode(exactly(32, reader.string())) };
  if (type === 'ssh-rsa') {
    const e = encode(reader.mpint());
    return { kty: 'RSA', e, n: encode(reader.mpint()) };
  }
  const [crv, curve] = Object.entries(openSshCurves).find(([, { name }]) => type === `ecdsa-sha2-${name}`) ?? [];
  if (crv === undefined || !curve) throw new RangeError(`key type ${JSON.stringify(type)} is not accepted`);
  if (reader.text() !== curve.name) throw new RangeError('the curve is not that of the key type');
  const point = exactly(1 + 2 * curve.bytes, reader.string());
  if (point[0] !== 4) throw new RangeError('a compressed point is not accepted');
  const y = 1 + curve.bytes;
  return { kty: 'EC', crv, x: encode(point.subarray(1, y)), y: encode(point.subarray(y)) };
}

function exactly(length: number, bytes: Buffer): Buffer {
  if (bytes.length !== length) throw new RangeError(`a field of the key must have ${length} bytes`);
  return bytes;
}
