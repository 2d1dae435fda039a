import { createHash, randomBytes } from 'node:crypto';

/** What a secret is for; its first letter says so, so that one is never taken for another. */
export type SecretKind = 'session' | 'app' | 'code';

const letters: Record<SecretKind, string> = { session: 's', app: 'a', code: 'c' };

/** A fresh value of 256 bits that whoever has it is believed by. */
export const newSecret = (kind: SecretKind): string => letters[kind] + randomBytes(32).toString('base64url');

/**
 * Under which name a value of this kind is kept: its SHA-256, so that reading
 * the store gives nobody a session. `undefined` for a text that is no such value.
 */
export const nameOfSecret = (kind: SecretKind, value: string): string | undefined =>
  value.length === 44 && value.startsWith(letters[kind]) && /^[A-Za-z0-9_-]+$/.test(value) ? sha256(value) : undefined;

/** Lower-case hexadecimal. */
export const sha256 = (text: string): string => createHash('sha256').update(text, 'utf8').digest('hex');
