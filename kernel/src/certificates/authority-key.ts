import { createHash, type KeyObject } from 'node:crypto';
import { halvesOf, keyTypeOf, type AuthorityHalf, type AuthorityKind } from './authority-kind.js';
import type { AuthorityKey } from './key-set.js';
import { encodeOpenSshKey } from './openssh-key.js';
import { openSshLine } from './openssh-lines.js';
import { SigningKey } from './signing-key.js';
import { createAuthorityCertificate } from './x509-authority.js';

/**
 * Makes the key of an authority with all the halves of its kind. The private
 * halves come as PKCS#8, to be sealed and wiped by the caller.
 */
export async function generateAuthorityKey(
  cluster: string,
  kind: AuthorityKind,
  now: Date,
): Promise<{ key: AuthorityKey; secrets: ReadonlyMap<AuthorityHalf, Buffer> }> {
  const secrets = new Map<AuthorityHalf, Buffer>();
  const halves: { -readonly [half in AuthorityHalf]?: string } = {};
  const hash = createHash('sha256');
  for (const half of halvesOf[kind]) {
    const { key, pkcs8 } = await SigningKey.generate(keyTypeOf[half]);
    secrets.set(half, pkcs8);
    hash.update(key.publicKey.export({ format: 'der', type: 'spki' }));
    halves[half] =
      half === 'x509' ? await createAuthorityCertificate(cluster, kind, key, now) : encodeHalf[half](key.publicKey);
  }
  const id = hash.digest('hex').slice(0, 32);
  return { key: { id, created: now.toISOString(), ...halves }, secrets };
}

const pem = (key: KeyObject): string => key.export({ format: 'pem', type: 'spki' }).toString();

const encodeHalf: Readonly<Record<Exclude<AuthorityHalf, 'x509'>, (key: KeyObject) => string>> = {
  openssh: (key) => openSshLine(encodeOpenSshKey(key)),
  jwt: pem,
  audit: pem,
};
