import { createHash, randomBytes, X509Certificate, type KeyObject, type webcrypto } from 'node:crypto';
import { PosternError } from '@postern/plugin-sdk';
import type { Period } from './lifetime.js';
import type { SigningKey } from './signing-key.js';
import {
  Name,
  PublicKey,
  SubjectKeyIdentifierExtension,
  X509CertificateGenerator,
  type Extension,
} from './x509-library.js';

/** An issuer: its name, and the key that signs in it. */
export interface X509Issuer {
  readonly name: Name;
  readonly key: SigningKey;
}

export interface X509Template {
  readonly subject: Name;
  readonly publicKey: KeyObject;
  readonly period: Period;
  readonly extensions: readonly Extension[];
}

export interface IssuedX509 {
  readonly pem: string;
  /** Lower-case hexadecimal, as a verifier will read it. */
  readonly serial: string;
  readonly notAfter: Date;
}

/** A name of plain UTF-8 attributes, in this order. Built without a text form, so nothing in a value is syntax. */
export const x509Name = (attributes: readonly (readonly [type: string, value: string])[]): Name =>
  new Name(attributes.map(([type, value]) => ({ [type]: [{ utf8String: value }] })));

/** The key identifier of a public key: the first 160 bits of the SHA-256 of its DER (RFC 7093 section 2). */
export const keyIdentifier = (publicKey: KeyObject): string =>
  createHash('sha256').update(spki(publicKey)).digest('hex').slice(0, 40);

/** Assembles and signs a certificate, and checks what came out before anybody receives it. */
export async function buildCertificate(template: X509Template, issuer: X509Issuer): Promise<IssuedX509> {
  const serial = randomSerial();
  const certificate = await X509CertificateGenerator.create(
    {
      serialNumber: serial,
      subject: template.subject,
      issuer: issuer.name,
      notBefore: template.period.notBefore,
      notAfter: template.period.notAfter,
      publicKey: new PublicKey(spki(template.publicKey)),
      signingKey: algorithmOnly,
      extensions: [...template.extensions, new SubjectKeyIdentifierExtension(keyIdentifier(template.publicKey))],
    },
    signingThrough(issuer.key),
  );
  const pem = `${certificate.toString('pem')}\n`;
  const made = new X509Certificate(pem);
  if (!made.verify(issuer.key.publicKey) || made.serialNumber.toLowerCase() !== serial)
    throw new PosternError('internal', 'a new certificate does not verify');
  return { pem, serial, notAfter: template.period.notAfter };
}

const ecdsaP256 = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' };

/** The library reads nothing but the algorithm from a key that it hands back to {@link signingThrough}. */
const algorithmOnly: webcrypto.CryptoKey = {
  algorithm: ecdsaP256,
  extractable: false,
  type: 'private',
  usages: ['sign'],
};

/** The library signs through a Web Crypto object: this one passes the bytes to a key of ours, wherever that lives. */
function signingThrough(key: SigningKey): webcrypto.Crypto {
  const sign = (_algorithm: unknown, _key: unknown, data: ArrayBuffer): Promise<Buffer> =>
    key.sign(new Uint8Array(data));
  return { subtle: { sign } } as unknown as webcrypto.Crypto;
}

/** 126 random bits below a fixed start, so that every tool shows the same 32 digits. */
function randomSerial(): string {
  const bytes = randomBytes(16);
  bytes.writeUInt8((bytes.readUInt8(0) & 0x3f) | 0x40, 0);
  return bytes.toString('hex');
}

const spki = (key: KeyObject): Buffer<ArrayBuffer> => Buffer.from(key.export({ format: 'der', type: 'spki' }));
