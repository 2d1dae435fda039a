import { verify, type KeyObject } from 'node:crypto';
import { openSshCurves, openSshTypeOf } from './openssh-key.js';
import { WireReader, WireWriter } from './openssh-wire.js';
import type { SigningKey } from './signing-key.js';

/** The signature algorithms that are made and accepted: no SHA-1, no DSA. Each belongs to one key type. */
const algorithms: Readonly<Record<string, { readonly keyType: string; readonly hash: string | null }>> = {
  'ssh-ed25519': { keyType: 'ssh-ed25519', hash: null },
  'ecdsa-sha2-nistp256': { keyType: 'ecdsa-sha2-nistp256', hash: 'sha256' },
  'ecdsa-sha2-nistp384': { keyType: 'ecdsa-sha2-nistp384', hash: 'sha384' },
  'ecdsa-sha2-nistp521': { keyType: 'ecdsa-sha2-nistp521', hash: 'sha512' },
  'rsa-sha2-512': { keyType: 'ssh-rsa', hash: 'sha512' },
  'rsa-sha2-256': { keyType: 'ssh-rsa', hash: 'sha256' },
};

/** A public key together with its encoding, so that neither is computed for each signature. */
export interface OpenSshPublicKey {
  readonly blob: Buffer;
  readonly key: KeyObject;
}

/** Signs; the result is `string algorithm, string value` (RFC 4253 section 6.6, RFC 5656 section 3.1.2). */
export async function signOpenSsh(key: SigningKey, keyType: string, data: Buffer): Promise<Buffer> {
  const raw = await key.sign(data);
  if (!keyType.startsWith('ecdsa-')) {
    const algorithm = keyType === 'ssh-rsa' ? 'rsa-sha2-512' : keyType;
    return new WireWriter().string(algorithm).string(raw).end();
  }
  const half = raw.length / 2;
  const value = new WireWriter().mpint(raw.subarray(0, half)).mpint(raw.subarray(half)).end();
  return new WireWriter().string(keyType).string(value).end();
}

/** Whether a signature is the key's own, by an algorithm that belongs to the key's type. Throws for a malformed one. */
export function verifyOpenSsh(by: OpenSshPublicKey, data: Buffer, signature: Buffer): boolean {
  const reader = new WireReader(signature);
  const name = reader.text();
  const value = reader.string();
  reader.end();
  const algorithm = Object.hasOwn(algorithms, name) ? algorithms[name] : undefined;
  if (algorithm?.keyType !== openSshTypeOf(by.blob)) return false;
  if (!name.startsWith('ecdsa-')) return verify(algorithm.hash, data, by.key, value);
  return verify(algorithm.hash, data, { key: by.key, dsaEncoding: 'ieee-p1363' }, joinHalves(name, value));
}

/** `mpint r, mpint s` as `r || s` of fixed width. */
function joinHalves(algorithm: string, value: Buffer): Buffer {
  const width = Object.values(openSshCurves).find(({ name }) => algorithm.endsWith(name))?.bytes ?? 0;
  const reader = new WireReader(value);
  const halves = [reader.mpint(), reader.mpint()];
  reader.end();
  const joined = Buffer.alloc(2 * width);
  for (const [index, half] of halves.entries()) {
    if (half.length > width) throw new RangeError('wire: a signature longer than its curve');
    half.copy(joined, (index + 1) * width - half.length);
  }
  return joined;
}
