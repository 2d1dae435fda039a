import { createHash } from 'node:crypto';

/** The hash of each signature algorithm (RFC 5929 section 4.1: MD5 and SHA-1 are replaced by SHA-256). */
const hashes: Readonly<Record<string, string>> = {
  '2a864886f70d010104': 'sha256', // md5WithRSAEncryption
  '2a864886f70d010105': 'sha256', // sha1WithRSAEncryption
  '2a864886f70d01010b': 'sha256', // sha256WithRSAEncryption
  '2a864886f70d01010c': 'sha384',
  '2a864886f70d01010d': 'sha512',
  '2a864886f70d01010e': 'sha224',
  '2a8648ce3d0401': 'sha256', // ecdsa-with-SHA1
  '2a8648ce3d040301': 'sha224',
  '2a8648ce3d040302': 'sha256', // ecdsa-with-SHA256
  '2a8648ce3d040303': 'sha384',
  '2a8648ce3d040304': 'sha512',
};

/**
 * The `tls-server-end-point` binding of a server's certificate in DER: its hash
 * under the algorithm with which it is signed. Undefined where that names none.
 */
export function tlsServerEndPoint(certificate: Buffer): Buffer | undefined {
  // Certificate ::= SEQUENCE { tbsCertificate SEQUENCE, signatureAlgorithm SEQUENCE { OBJECT IDENTIFIER, … }, … }
  const whole = element(certificate, 0);
  const tbs = whole && element(certificate, whole.from);
  const algorithm = tbs && element(certificate, tbs.to);
  const oid = algorithm && element(certificate, algorithm.from);
  const hash = oid && hashes[certificate.toString('hex', oid.from, oid.to)];
  return hash === undefined ? undefined : createHash(hash).update(certificate).digest();
}

/** Where the content of the DER element at `at` lies. */
function element(der: Buffer, at: number): { readonly from: number; readonly to: number } | undefined {
  const first = der[at + 1];
  if (first === undefined) return undefined;
  const more = first < 0x80 ? 0 : first & 0x7f;
  if (more > 4 || at + 2 + more > der.length) return undefined;
  const length = more === 0 ? first : der.readUIntBE(at + 2, more);
  const from = at + 2 + more;
  return from + length > der.length ? undefined : { from, to: from + length };
}
