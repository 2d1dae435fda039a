import { createPrivateKey, createPublicKey, generateKeyPair, sign, type KeyObject } from 'node:crypto';
import { promisify } from 'node:util';
import { PosternError } from '@postern/plugin-sdk';

const generate = promisify(generateKeyPair);

/** The kinds of key that an authority signs with. */
export type SigningKeyType = 'ecdsa-p256' | 'ed25519';

const hashes: Readonly<Record<string, string>> = { prime256v1: 'sha256', secp384r1: 'sha384', secp521r1: 'sha512' };

/**
 * A private key that can sign and nothing else: once made, it is not exported.
 * `sign` is asynchronous so that the key may live in a device or a service.
 */
export class SigningKey {
  readonly publicKey: KeyObject;
  readonly #privateKey: KeyObject;

  private constructor(privateKey: KeyObject) {
    this.#privateKey = privateKey;
    this.publicKey = createPublicKey(privateKey);
  }

  /** Loads an unencrypted PKCS#8 key. The bytes stay the caller's to wipe. */
  static fromPkcs8(der: Buffer): SigningKey {
    try {
      return new SigningKey(createPrivateKey({ key: der, format: 'der', type: 'pkcs8' }));
    } catch {
      // The cause is left out: a parser's error may quote what it could not parse.
      throw new PosternError('internal', 'a signing key does not parse as PKCS#8');
    }
  }

  /** Makes a key and hands out its PKCS#8 form once, to be sealed. */
  static async generate(type: SigningKeyType): Promise<{ key: SigningKey; pkcs8: Buffer }> {
    const { privateKey } =
      type === 'ed25519' ? await generate('ed25519') : await generate('ec', { namedCurve: 'P-256' });
    return { key: new SigningKey(privateKey), pkcs8: privateKey.export({ format: 'der', type: 'pkcs8' }) };
  }

  /**
   * Signs with the one hash that belongs to the key: ECDSA with that of its
   * curve, as `r || s`; RSA with SHA-512 and PKCS#1 padding; Ed25519 as such.
   */
  async sign(data: Uint8Array): Promise<Buffer> {
    return sign(this.#hash(), data, { key: this.#privateKey, dsaEncoding: 'ieee-p1363' });
  }

  #hash(): string | null {
    if (this.publicKey.asymmetricKeyType === 'ed25519') return null;
    return hashes[this.publicKey.asymmetricKeyDetails?.namedCurve ?? ''] ?? 'sha512';
  }
}
