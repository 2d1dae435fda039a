import { generateKeyPairSync, type KeyObject } from 'node:crypto';
import { decodeOpenSshKey, type OpenSshExpectation, type TrustedAuthority } from '../../src/certificates/index.js';
import { cluster } from './support.js';

/** A private key that is made when it is first needed, once: RSA keys take their time. */
function once(make: () => KeyObject): () => KeyObject {
  let key: KeyObject | undefined;
  return () => (key ??= make());
}

/** Every key type that is certified: our name for it, what `ssh-keygen` is told, and a private key. */
export const keyTypes: readonly { name: string; keygen: readonly string[]; make: () => KeyObject }[] = [
  { name: 'ed25519', keygen: ['-t', 'ed25519'], make: once(() => generateKeyPairSync('ed25519').privateKey) },
  ...[256, 384, 521].map((bits) => ({
    name: `ecdsa-p${bits}`,
    keygen: ['-t', 'ecdsa', '-b', String(bits)],
    make: once(() => generateKeyPairSync('ec', { namedCurve: `P-${bits}` }).privateKey),
  })),
  {
    name: 'rsa-2048',
    keygen: ['-t', 'rsa', '-b', '2048'],
    make: once(() => generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey),
  },
];

export const authorityTypes = keyTypes.filter(({ name }) => ['ed25519', 'ecdsa-p256', 'rsa-2048'].includes(name));

/** Trust in one public key, and in nothing else. */
export const trusting = (blob: Buffer): TrustedAuthority<'user'>[] => [
  { kind: 'user', cluster, x509: [], openSsh: [{ blob, key: decodeOpenSshKey(blob) }] },
];

/** A user certificate for `alice`, valid now. */
export const expectation = (trust: TrustedAuthority<'user'>[]): OpenSshExpectation<'user'> => ({
  kind: 'user',
  trust,
  now: new Date(),
  principal: { name: 'alice' },
  enforced: ['source-address'],
  remedy: 'renew it',
});
