import { generateKeyPairSync, randomBytes, sign, X509Certificate } from 'node:crypto';
import { children, element, integer, octets, readElement, sequence, tagged, utf8 } from './der.js';

/** What a gateway shows inside of the connection that already proved who it is. */
export interface InnerCertificate {
  readonly key: string;
  readonly certificate: string;
  readonly der: Buffer;
}

const ecdsaWithSha256 = sequence(Buffer.from('06082a8648ce3d040302', 'hex'));
const commonName = Buffer.from('0603550403', 'hex');
const day = 86_400_000;

/**
 * A fresh key with a certificate of its own (RFC 5280). RDP's clients insist on
 * TLS within the mutual TLS in which they run, and nothing is decided by it.
 */
export function innerCertificate(now: Date): InnerCertificate {
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const name = sequence(element(0x31, sequence(commonName, utf8('postern'))));
  const serial = element(0x02, Buffer.concat([Buffer.from([0x40]), randomBytes(15)]));
  const validity = sequence(utcTime(new Date(now.getTime() - day)), utcTime(new Date(now.getTime() + 3650 * day)));
  const body = sequence(
    tagged(0, integer(2)),
    serial,
    ecdsaWithSha256,
    name,
    validity,
    name,
    publicKey.export({ type: 'spki', format: 'der' }),
  );
  const signature = sign('sha256', body, { key: privateKey, dsaEncoding: 'der' });
  const der = sequence(body, ecdsaWithSha256, element(0x03, Buffer.from([0]), signature));
  const certificate = new X509Certificate(der).toString();
  return { key: privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(), certificate, der };
}

/** `YYMMDDhhmmssZ`, good until 2049. */
const utcTime = (date: Date): Buffer =>
  element(0x17, Buffer.from(`${date.toISOString().replace(/[-:T]/g, '').slice(2, 14)}Z`));

/** What the BIT STRING in a certificate's public key holds: the part that CredSSP binds. */
export function subjectPublicKey(certificate: X509Certificate): Buffer {
  const info = certificate.publicKey.export({ type: 'spki', format: 'der' });
  const [, bits] = children(readElement(info).body);
  return Buffer.from(bits?.body.subarray(1) ?? octets(info));
}
