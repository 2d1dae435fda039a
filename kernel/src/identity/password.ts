import { randomInt } from 'node:crypto';
import { hash, verify } from '@node-rs/argon2';
import { PosternError } from '@postern/plugin-sdk';

/** OWASP's first recommendation for argon2id: 19 MiB, two passes, one lane. About 15 ms off the main thread. */
const cost = { memoryCost: 19_456, timeCost: 2, parallelism: 1 };

const minLength = 12;
const maxBytes = 1024;

export const hashPassword = (password: string): Promise<string> => hash(Buffer.from(password, 'utf8'), cost);

/** False for a wrong password and for a hash that cannot be read. Takes as long for either. */
export async function verifyPassword(hashed: string, password: string): Promise<boolean> {
  return verify(hashed, Buffer.from(password, 'utf8')).catch(() => false);
}

/** Refuses what is too short to be guessed slowly. No rules on kinds of characters (NIST SP 800-63B, section 3.1.1.2). */
export function checkNewPassword(password: string, user: string): void {
  if ([...password].length < minLength)
    throw PosternError.public('invalid_argument', `a password has at least ${minLength} characters`);
  if (Buffer.byteLength(password) > maxBytes)
    throw PosternError.public('invalid_argument', `a password has at most ${maxBytes} bytes`);
  if (password.toLowerCase() === user.toLowerCase())
    throw PosternError.public('invalid_argument', 'a password must not be the user name');
}

// Without characters that look alike, since people read these from a screen.
const alphabet = 'abcdefghijkmnpqrstuvwxyz23456789';

/** A password for one use: four groups of four, 79 bits. */
export function oneTimePassword(): string {
  const characters = Array.from({ length: 16 }, () => alphabet.charAt(randomInt(alphabet.length))).join('');
  return characters.match(/.{4}/g)?.join('-') ?? characters;
}
