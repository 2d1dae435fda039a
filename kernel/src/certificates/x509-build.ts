import { createHash, randomBytes, X509Certificate, type KeyObject } from 'node:crypto';
import { PosternError } from '@postern/plugin-sdk';
import { derContext, derElement, derInteger, derObjectIdentifier, derTag } from './der.js';
import type { Period } from './lifetime.js';
import type { SigningKey } from './signing-key.js';
import { subjectKeyIdentifier } from './x509-extension.js';

/** An issuer: its encoded name, and the key that signs in it, on the curve P-256. */
export interface X509Issuer {
  readonly name: Buffer;
  readonly key: SigningKey;
}

export interface X509Template {
  /** An encoded name: see {@link x509Name}. */
  readonly subject: Buffer;
  readonly publicKey: KeyObject;
  readonly period: Period;
  /** Encoded extensions, in their order. The identifier of the certified key is added behind them. */
  readonly extensions: readonly Buffer[];
}

export interface IssuedX509 {
  readonly pem: string;
  /** Lower-case hexadecimal, as a verifier will read it. */
  readonly serial: string;
  readonly notAfter: Date;
}

const attributeTypes = { CN: '2.5.4.3', O: '2.5.4.10', OU: '2.5.4.11' } as const;

/** The DER of a name of plain UTF-8 attributes, in this order: nothing in a value is syntax. */
export const x509Name = (
  attributes: readonly (readonly [type: keyof typeof attributeTypes, value: string])[],
): Buffer =>
  derElement(
    derTag.sequence,
    ...attributes.map(([type, value]) =>
      derElement(
        derTag.set,
        derElement(
          derTag.sequence,
          derElement(derTag.objectIdentifier, derObjectIdentifier(attributeTypes[type])),
          derElement(derTag.utf8String, Buffer.from(value)),
        ),
      ),
    ),
  );

/** The key identifier of a public key: the first 160 bits of the SHA-256 of its DER (RFC 7093 section 2). */
export const keyIdentifier = (publicKey: KeyObject): Buffer => identifierOf(spki(publicKey));

/** Assembles and signs a certificate, and checks what came out before anybody receives it. */
export async function buildCertificate(template: X509Template, issuer: X509Issuer): Promise<IssuedX509> {
  const serial = randomSerial();
  const body = encodeBody(template, issuer.name, serial);
  const signature = ecdsaSignature(await issuer.key.sign(body));
  const made = new X509Certificate(derElement(derTag.sequence, body, ecdsaWithSha256, signature));
  if (!made.verify(issuer.key.publicKey) || made.serialNumber !== serial.toString('hex').toUpperCase())
    throw new PosternError('internal', 'a new certificate does not verify');
  return { pem: pemOf(made.raw), serial: serial.toString('hex'), notAfter: template.period.notAfter };
}

/** The TBSCertificate of RFC 5280 section 4.1. */
function encodeBody({ subject, publicKey, period, extensions }: X509Template, issuer: Buffer, serial: Buffer): Buffer {
  const key = spki(publicKey);
  return derElement(
    derTag.sequence,
    version3,
    derInteger(serial),
    ecdsaWithSha256,
    issuer,
    derElement(derTag.sequence, encodeTime(period.notBefore), encodeTime(period.notAfter)),
    subject,
    key,
    derElement(derContext(3), derElement(derTag.sequence, ...extensions, subjectKeyIdentifier(identifierOf(key)))),
  );
}

const version3 = derElement(derContext(0), derInteger(Buffer.from([2])));

/** RFC 5758 section 3.2: without parameters. */
const ecdsaWithSha256 = derElement(
  derTag.sequence,
  derElement(derTag.objectIdentifier, derObjectIdentifier('1.2.840.10045.4.3.2')),
);

/** Whole seconds, with two digits for the year as long as they suffice (RFC 5280 section 4.1.2.5). */
function encodeTime(date: Date): Buffer {
  const text = `${date.toISOString().slice(0, 19).replaceAll(/[-:T]/g, '')}Z`;
  const year = date.getUTCFullYear();
  return year >= 1950 && year < 2050
    ? derElement(derTag.utcTime, Buffer.from(text.slice(2)))
    : derElement(derTag.generalizedTime, Buffer.from(text));
}

/** A BIT STRING of an Ecdsa-Sig-Value (RFC 3279 section 2.2.3), from `r || s`. */
function ecdsaSignature(raw: Buffer): Buffer {
  const half = raw.length / 2;
  const value = derElement(derTag.sequence, derInteger(raw.subarray(0, half)), derInteger(raw.subarray(half)));
  return derElement(derTag.bitString, Buffer.from([0]), value);
}

/** 126 random bits below a fixed start, so that every tool shows the same 32 digits. */
function randomSerial(): Buffer {
  const bytes = randomBytes(16);
  bytes.writeUInt8((bytes.readUInt8(0) & 0x3f) | 0x40, 0);
  return bytes;
}

/** Lines of 64 characters (RFC 7468 section 3). */
function pemOf(der: Buffer): string {
  const lines = der.toString('base64').match(/.{1,64}/g) ?? [];
  return `-----BEGIN CERTIFICATE-----\n${lines.join('\n')}\n-----END CERTIFICATE-----\n`;
}

const identifierOf = (encodedKey: Buffer): Buffer => createHash('sha256').update(encodedKey).digest().subarray(0, 20);

const spki = (key: KeyObject): Buffer => key.export({ format: 'der', type: 'spki' });
