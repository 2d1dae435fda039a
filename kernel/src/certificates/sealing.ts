import { createCipheriv, createDecipheriv, createSecretKey, randomBytes, type KeyObject } from 'node:crypto';
import { PosternError } from '@postern/plugin-sdk';

/**
 * Keeps secrets in a store that may be read by others. The name is part of what
 * is sealed: a text that was moved to another name does not open.
 */
export interface Sealer {
  /** Rejects with `invalid_argument` for a name or a secret that is out of bounds. */
  seal(name: string, secret: Uint8Array): Promise<string>;
  /** Rejects with `internal` for a text that was not sealed under this name by this key. The bytes are the caller's to wipe. */
  open(name: string, sealed: string): Promise<Buffer>;
}

/** What holds the wrapping key: a file, or a device or service that never shows it. */
export interface KeyWrapper {
  /** Names the wrapping key; 1 to 128 characters of base64url. */
  readonly id: string;
  /** Encrypts a data key together with its context, which must be presented again. */
  wrap(dataKey: Uint8Array, context: Uint8Array): Promise<Buffer>;
  unwrap(wrapped: Uint8Array, context: Uint8Array): Promise<Buffer>;
}

/** The largest secret that is sealed: an RSA key in PEM is a tenth of it. */
export const maximumSecretLength = 65_536;

const version = 'postern-sealed-v1';
const format = new RegExp(`^${version}\\.([\\w-]{1,128})\\.([\\w-]{1,2048})\\.([\\w-]{1,90000})$`);

/**
 * Envelope encryption: each secret under a data key of its own (AES-256-GCM),
 * the data key under the wrapping key. The text form is
 *
 *     postern-sealed-v1.<wrapper id>.<wrapped data key>.<nonce, ciphertext, tag>
 *
 * with base64url in the last two parts.
 */
export class EnvelopeSealer implements Sealer {
  readonly #current: KeyWrapper;
  readonly #wrappers: ReadonlyMap<string, KeyWrapper>;

  /** Seals with the first, opens with all of them. */
  constructor(current: KeyWrapper, ...former: readonly KeyWrapper[]) {
    this.#current = current;
    this.#wrappers = new Map([current, ...former].map((wrapper) => [wrapper.id, wrapper]));
  }

  async seal(name: string, secret: Uint8Array): Promise<string> {
    if (secret.length > maximumSecretLength) throw new PosternError('invalid_argument', 'a secret is too long to seal');
    const { id } = this.#current;
    const dataKey = randomBytes(32);
    try {
      const wrapped = await this.#current.wrap(dataKey, context(id, name, 'key'));
      const body = encrypt(createSecretKey(dataKey), secret, context(id, name, 'body'));
      return [version, id, wrapped.toString('base64url'), body.toString('base64url')].join('.');
    } finally {
      dataKey.fill(0);
    }
  }

  async open(name: string, sealed: string): Promise<Buffer> {
    const [, id, wrapped, body] = format.exec(sealed) ?? [];
    if (id === undefined || wrapped === undefined || body === undefined)
      throw new PosternError('internal', `${quoted(name)} is not a sealed text of a version that is known here`);
    const wrapper = this.#wrappers.get(id);
    if (!wrapper)
      throw new PosternError(
        'internal',
        `${quoted(name)} was sealed with wrapping key ${id}, and the one at hand is ${this.#current.id}: restore the key file`,
      );
    const dataKey = await wrapper.unwrap(Buffer.from(wrapped, 'base64url'), context(id, name, 'key')).catch(fail(name));
    try {
      return decrypt(createSecretKey(dataKey), Buffer.from(body, 'base64url'), context(id, name, 'body'));
    } catch {
      return fail(name)();
    } finally {
      dataKey.fill(0);
    }
  }
}

/** AES-256-GCM: nonce, ciphertext, tag. The nonce is random, so a key may seal up to 2^32 times. */
export function encrypt(key: KeyObject, plaintext: Uint8Array, associated: Uint8Array): Buffer {
  const nonce = randomBytes(nonceLength);
  const cipher = createCipheriv('aes-256-gcm', key, nonce, { authTagLength: tagLength });
  cipher.setAAD(associated);
  return Buffer.concat([nonce, cipher.update(plaintext), cipher.final(), cipher.getAuthTag()]);
}

/** Opens {@link encrypt}'s output. Throws for anything else. */
export function decrypt(key: KeyObject, sealed: Buffer, associated: Uint8Array): Buffer {
  if (sealed.length < nonceLength + tagLength) throw new RangeError('too short');
  const end = sealed.length - tagLength;
  const decipher = createDecipheriv('aes-256-gcm', key, sealed.subarray(0, nonceLength), { authTagLength: tagLength });
  decipher.setAAD(associated);
  decipher.setAuthTag(sealed.subarray(end));
  return Buffer.concat([decipher.update(sealed.subarray(nonceLength, end)), decipher.final()]);
}

const nonceLength = 12;
const tagLength = 16;

function context(id: string, name: string, part: 'key' | 'body'): Buffer {
  if (name === '' || name.length > 512 || name.includes('\0'))
    throw new PosternError('invalid_argument', `${quoted(name)} cannot name a sealed secret`);
  return Buffer.from([version, id, part, name].join('\0'));
}

/** The cause is left out: what failed to decrypt must not be quoted anywhere. */
const fail = (name: string) => (): never => {
  throw new PosternError('internal', `the sealed secret ${quoted(name)} does not open`);
};

const quoted = (name: string): string => JSON.stringify(name.slice(0, 200));
