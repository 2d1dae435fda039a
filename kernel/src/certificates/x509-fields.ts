import { DerReader, derContext, derObjectIdentifier, derTag } from './der.js';

/** The object identifiers of the standard extensions (RFC 5280 section 4.2.1). */
export const extensionOid = {
  subjectKeyIdentifier: '2.5.29.14',
  keyUsage: '2.5.29.15',
  subjectAltName: '2.5.29.17',
  basicConstraints: '2.5.29.19',
  nameConstraints: '2.5.29.30',
  authorityKeyIdentifier: '2.5.29.35',
  extendedKeyUsage: '2.5.29.37',
} as const;

/** What node:crypto does not say about a certificate, read from its DER (RFC 5280 section 4.1). */
export interface CertificateFields {
  /** The encoded subject name. */
  readonly subject: Buffer;
  readonly notBefore: Date;
  readonly notAfter: Date;
  /** By {@link extensionKey}. */
  readonly extensions: ReadonlyMap<string, ExtensionValue>;
}

interface ExtensionValue {
  readonly critical: boolean;
  /** The contents of the extension's OCTET STRING. */
  readonly value: Buffer;
}

/** An object identifier as {@link CertificateFields.extensions} knows it. Compute it once: verifying is a hot path. */
export const extensionKey = (oid: string): string => derObjectIdentifier(oid).toString('hex');

/** Reads an encoded certificate. Throws a RangeError for anything that is not DER of version 3. */
export function readCertificateFields(der: Buffer): CertificateFields {
  const certificate = new DerReader(only(der, derTag.sequence));
  const tbs = new DerReader(certificate.read(derTag.sequence));
  tbs.read(derContext(0));
  for (const _ of ['serialNumber', 'signature', 'issuer']) tbs.any();
  const validity = new DerReader(tbs.read(derTag.sequence));
  const notBefore = readTime(validity);
  const notAfter = readTime(validity);
  const subject = tbs.any().encoded;
  tbs.any();
  return { subject, notBefore, notAfter, extensions: readExtensions(tbs) };
}

function only(der: Buffer, tag: number): Buffer {
  const reader = new DerReader(der);
  const contents = reader.read(tag);
  reader.end();
  return contents;
}

function readTime(reader: DerReader): Date {
  const { tag, contents } = reader.any();
  const text = contents.toString('latin1');
  // RFC 5280 section 4.1.2.5.1: two digits from 50 on belong to the last century.
  const full = tag === derTag.utcTime ? `${Number(text.slice(0, 2)) < 50 ? '20' : '19'}${text}` : text;
  const match = /^(\d{4})(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)Z$/.exec(full);
  if (!match || (tag !== derTag.utcTime && tag !== derTag.generalizedTime)) throw new RangeError('DER: not a time');
  const [year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0] = match.slice(1).map(Number);
  return new Date(Date.UTC(year, month - 1, day, hour, minute, second));
}

function readExtensions(tbs: DerReader): ReadonlyMap<string, ExtensionValue> {
  const found = new Map<string, ExtensionValue>();
  if (tbs.done) return found;
  const list = new DerReader(only(tbs.read(derContext(3)), derTag.sequence));
  while (!list.done) {
    const extension = new DerReader(list.read(derTag.sequence));
    const key = extension.read(derTag.objectIdentifier).toString('hex');
    const critical = extension.peek() === derTag.boolean && extension.read(derTag.boolean)[0] === 0xff;
    const value = extension.read(derTag.octetString);
    extension.end();
    if (found.has(key)) throw new RangeError('an extension appears twice');
    found.set(key, { critical, value });
  }
  return found;
}
