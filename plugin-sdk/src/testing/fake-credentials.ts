import type { Credentials } from '../credentials.js';

/**
 * Credentials that nothing accepts, or those that the test has real ones of.
 * `handed` learns every secret among them, so that it can be looked for in
 * places where it must not be.
 */
export function fakeCredentials(real: Partial<Credentials>, handed: (secret: string) => void): Credentials {
  let count = 0;
  const canary = (what: string): string => `canary-${what}-${(count += 1)}-5d41402abc4b2a76b9719d911017c592`;
  const keep = (secret: string): string => {
    for (const line of secret.split('\n')) if (line.length >= 16 && !line.startsWith('-----')) handed(line);
    if (secret.length > 0 && secret.length < 16) handed(secret);
    return secret;
  };
  return {
    async tls(name) {
      const found = (await real.tls?.(name)) ?? { certificate: '', key: canary('tls'), authority: '' };
      return { ...found, key: keep(found.key) };
    },
    async openSsh(login) {
      const found = (await real.openSsh?.(login)) ?? { certificate: '', key: canary('openssh') };
      return { ...found, key: keep(found.key) };
    },
    secret: async (name) => keep((await real.secret?.(name)) ?? canary('secret')),
    assertion: async (audience) => keep((await real.assertion?.(audience)) ?? canary('assertion')),
  };
}
