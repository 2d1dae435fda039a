import { createPrivateKey, sign } from 'node:crypto';
import { PosternError, type OpenSshCredential } from '@postern/plugin-sdk';
import ssh2, { type ParsedKey } from 'ssh2';
import { certificateAlgorithmsOf, keyTypeOfCertificate, signatureAlgorithmOf } from './algorithms.js';
import { hashOf } from './public-key.js';
import type { Transport } from './transport.js';
import { WireReader, WireWriter } from './wire.js';

/** An entry of ssh2's `hostKeys`. */
export interface HostKey {
  readonly key: ParsedKey;
}

/**
 * The keys that a server shows: the certified one first, under each of its
 * certificate algorithms, then the plain one for clients that do not know the
 * cluster's authority. Throws where certificate and key do not belong together.
 */
export function hostKeysOf(credential: OpenSshCredential): readonly HostKey[] {
  const key = parsePrivateKey(credential.key);
  const certificate = parseCertificateLine(credential.certificate);
  const keyType = keyTypeOfCertificate(new WireReader(certificate).text(64));
  // The certificate is the plain key with a header and a trailer: its fields must be in there.
  if (keyType !== key.type || !certificate.includes(fieldsOf(key.getPublicSSH())))
    throw new PosternError('internal', 'the host certificate does not belong to the host key');
  return [...certificateAlgorithmsOf(keyType).map((name) => ({ key: certified(key, certificate, name) })), { key }];
}

/**
 * Lets a connection present its host certificate. ssh2 writes one algorithm
 * name everywhere; inside the signature SSH wants the plain one. The library
 * reads the key from its table once in each key exchange and writes the name
 * later, so the name is changed in between. Were an internal renamed, the
 * client's check of the exchange would fail: this hook cannot fail open.
 */
export function presentHostCertificate(transport: Transport): void {
  const protocol = transport.inside._protocol;
  protocol._hostKeys = new Proxy(protocol._hostKeys, {
    get: (keys, algorithm: string) => {
      const plain = signatureAlgorithmOf(algorithm);
      if (plain !== undefined) protocol._kex.negotiated.serverHostKey = plain;
      return keys[algorithm];
    },
  });
}

function parsePrivateKey(text: string): ParsedKey {
  const parsed = ssh2.utils.parseKey(text);
  if (parsed instanceof Error || Array.isArray(parsed) || !parsed.isPrivateKey())
    throw new PosternError('internal', 'the host key cannot be read');
  return parsed;
}

function parseCertificateLine(line: string): Buffer {
  const [, encoded = ''] = line.trim().split(' ');
  return Buffer.from(encoded, 'base64');
}

function fieldsOf(publicKey: Buffer): Buffer {
  const reader = new WireReader(publicKey);
  reader.string();
  return reader.rest();
}

/** A key of ssh2 whose public half is the certificate: ssh2 takes a derived object for one of its own. */
function certified(key: ParsedKey, certificate: Buffer, algorithm: string): ParsedKey {
  const signature = signatureAlgorithmOf(algorithm);
  if (signature === undefined)
    throw new PosternError('internal', `host certificates of type ${algorithm} cannot be shown`);
  const privateKey = createPrivateKey(key.getPrivatePEM());
  const signPlain = (data: Buffer): Buffer => {
    if (!signature.startsWith('ecdsa-')) return sign(hashOf(signature), data, privateKey);
    const numbers = sign(hashOf(signature), data, { key: privateKey, dsaEncoding: 'ieee-p1363' });
    const half = numbers.length / 2;
    return new WireWriter().mpint(numbers.subarray(0, half)).mpint(numbers.subarray(half)).end();
  };
  return Object.create(key, {
    type: { value: algorithm },
    getPublicSSH: { value: () => certificate },
    sign: { value: signPlain },
  }) as ParsedKey;
}
