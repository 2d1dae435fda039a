import { BlockList, isIP } from 'node:net';
import { PosternError } from '@postern/plugin-sdk';
import { certificateAlgorithmsOf, keyTypeOfCertificate, signatureAlgorithmOf } from './algorithms.js';
import { fieldsOfKeyType, verifySignature } from './public-key.js';
import { WireReader, WireWriter } from './wire.js';

/** The kernel's certificates are shorter. */
const maximumLength = 32_768;

/** What a client presents with an authentication request. Whether it may be trusted is for the kernel to say. */
export interface UserCertificate {
  readonly blob: Buffer;
  /** The certified public key, encoded as without a certificate. */
  readonly key: Buffer;
  /** The only algorithm that may sign for the request that presented it. */
  readonly signatureAlgorithm: string;
  readonly criticalOptions: ReadonlyMap<string, string>;
  readonly extensions: ReadonlyMap<string, string>;
}

/**
 * Reads what the server needs of a certificate (PROTOCOL.certkeys), strictly.
 * `algorithm` is what the request named: it must fit the certificate. Throws a
 * RangeError for anything else.
 */
export function readUserCertificate(algorithm: string, blob: Buffer): UserCertificate {
  if (blob.length > maximumLength) throw new RangeError('the certificate is too long');
  const reader = new WireReader(blob);
  const { keyType, key } = readKey(reader, blob);
  const signatureAlgorithm = signatureAlgorithmOf(algorithm);
  if (signatureAlgorithm === undefined || !certificateAlgorithmsOf(keyType).includes(algorithm))
    throw new RangeError('the certificate is not of the type that the request names');
  reader.uint64();
  reader.uint32();
  reader.string();
  reader.string();
  reader.uint64();
  reader.uint64();
  const criticalOptions = readOptions(reader.string());
  const extensions = readOptions(reader.string());
  reader.string();
  reader.string();
  reader.string();
  reader.end();
  return { blob, key, signatureAlgorithm, criticalOptions, extensions };
}

/** True where the holder of the certified key signed the request: `data` is what RFC 4252, section 7, has signed. */
export function provesPossession(certificate: UserCertificate, data: Buffer, signature: Buffer): boolean {
  return verifySignature(certificate.key, certificate.signatureAlgorithm, data, signature);
}

/**
 * Rejects a certificate with a critical option that this server does not
 * enforce, as the format demands, and one that may not be used from `source`.
 */
export function checkCriticalOptions(certificate: UserCertificate, source: string): void {
  for (const [name, value] of certificate.criticalOptions) {
    if (name !== 'source-address')
      throw PosternError.public(
        'access_denied',
        `the certificate demands ${JSON.stringify(name)}, which is not offered here`,
      );
    if (!isWithin(value, source))
      throw PosternError.public('access_denied', 'the certificate may not be used from this address');
  }
}

function readKey(reader: WireReader, blob: Buffer): { keyType: string; key: Buffer } {
  const keyType = keyTypeOfCertificate(reader.text(64)) ?? '';
  const fields = fieldsOfKeyType(keyType);
  if (fields === undefined) throw new RangeError('not a certificate of an accepted type');
  reader.string();
  const start = reader.offset;
  for (let field = 0; field < fields; field += 1) reader.string();
  return { keyType, key: new WireWriter().string(keyType).raw(blob.subarray(start, reader.offset)).end() };
}

/** Names strictly ascending, so that none appears twice. The value of an option is a string inside the string. */
function readOptions(bytes: Buffer): ReadonlyMap<string, string> {
  const reader = new WireReader(bytes);
  const options = new Map<string, string>();
  let previous = '';
  while (!reader.done) {
    const name = reader.text();
    if (name <= previous) throw new RangeError('options are not in order');
    previous = name;
    const data = new WireReader(reader.string());
    options.set(name, data.done ? '' : data.text(maximumLength));
    data.end();
  }
  return options;
}

function isWithin(list: string, source: string): boolean {
  const allowed = new BlockList();
  for (const entry of list.split(',')) {
    const [address = '', bits] = entry.split('/');
    const family = isIP(address) === 6 ? 'ipv6' : 'ipv4';
    allowed.addSubnet(address, bits === undefined ? (family === 'ipv6' ? 128 : 32) : Number(bits), family);
  }
  return isIP(source) !== 0 && allowed.check(source, isIP(source) === 6 ? 'ipv6' : 'ipv4');
}
