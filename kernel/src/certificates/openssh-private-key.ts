import { createPublicKey, randomBytes, type KeyObject } from 'node:crypto';
import { encodeOpenSshKey, openSshCurves, openSshTypeOf } from './openssh-key.js';
import { WireWriter } from './openssh-wire.js';

/**
 * Writes a private key in the `openssh-key-v1` form (PROTOCOL.key), without a
 * passphrase: the one form that every OpenSSH client reads. For keys that their
 * owner made; an authority's key never comes here.
 */
export function encodeOpenSshPrivateKey(key: KeyObject, comment = ''): string {
  const publicKey = encodeOpenSshKey(createPublicKey(key));
  // The same number twice: with a passphrase it would tell whether decryption worked.
  const check = randomBytes(4);
  const inner = new WireWriter().raw(check).raw(check);
  writePrivateFields(inner, key, openSshTypeOf(publicKey));
  const body = inner.string(comment).end();
  const padding = Buffer.from([1, 2, 3, 4, 5, 6, 7].slice(0, (8 - (body.length % 8)) % 8));
  const outer = new WireWriter()
    .raw(Buffer.from('openssh-key-v1\0'))
    .string('none')
    .string('none')
    .string('')
    .uint32(1)
    .string(publicKey)
    .string(Buffer.concat([body, padding]))
    .end();
  const lines = outer.toString('base64').match(/.{1,70}/g) ?? [];
  return ['-----BEGIN OPENSSH PRIVATE KEY-----', ...lines, '-----END OPENSSH PRIVATE KEY-----', ''].join('\n');
}

function writePrivateFields(writer: WireWriter, key: KeyObject, type: string): void {
  const jwk = key.export({ format: 'jwk' });
  const field = (name: 'x' | 'y' | 'd' | 'n' | 'e' | 'p' | 'q' | 'qi'): Buffer =>
    Buffer.from(jwk[name] ?? '', 'base64url');
  writer.string(type);
  if (jwk.kty === 'OKP') {
    writer.string(field('x')).string(Buffer.concat([field('d'), field('x')]));
    return;
  }
  if (jwk.kty === 'RSA') {
    for (const name of ['n', 'e', 'd', 'qi', 'p', 'q'] as const) writer.mpint(field(name));
    return;
  }
  writer
    .string(openSshCurves[jwk.crv ?? '']?.name ?? '')
    .string(Buffer.concat([Buffer.from([4]), field('x'), field('y')]))
    .mpint(field('d'));
}
