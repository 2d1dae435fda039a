import { openSshKeyFields, isOpenSshKeyType, type OpenSshKeyType } from './openssh-key.js';
import { WireReader, WireWriter } from './openssh-wire.js';

/** What follows a key type in the name of its certificate (PROTOCOL.certkeys). */
const openSshCertificateSuffix = '-cert-v01@openssh.com';

export type OpenSshCertificateKind = 'user' | 'host';
const kindNumbers: Readonly<Record<OpenSshCertificateKind, number>> = { user: 1, host: 2 };

/** Longer than any that is issued: the identity is at most 16 KiB, and keys and names come on top. */
export const maximumOpenSshCertificateLength = 32_768;

/** The limit of OpenSSH itself. */
export const maximumOpenSshPrincipals = 256;

/** Options by name; an empty text is a flag. */
type OpenSshOptions = ReadonlyMap<string, string>;

/** The signed fields of a certificate, apart from the keys. */
export interface OpenSshCertificateBody {
  readonly kind: OpenSshCertificateKind;
  readonly serial: bigint;
  readonly keyId: string;
  readonly principals: readonly string[];
  /** Seconds; the certificate is good in `[validAfter, validBefore)`. */
  readonly validAfter: bigint;
  readonly validBefore: bigint;
  /** A verifier that does not know one of these must refuse the certificate. */
  readonly criticalOptions: OpenSshOptions;
  readonly extensions: OpenSshOptions;
}

export interface OpenSshCertificate extends OpenSshCertificateBody {
  readonly keyType: OpenSshKeyType;
  /** The certified public key, encoded as without a certificate. */
  readonly key: Buffer;
  /** The authority's public key, as the certificate names it: nothing is verified yet. */
  readonly authority: Buffer;
  /** What the signature covers. */
  readonly signed: Buffer;
  readonly signature: Buffer;
}

/**
 * Encodes everything before the signature:
 *
 *     string type | string nonce | key fields | uint64 serial | uint32 kind |
 *     string key id | string principals | uint64 valid after | uint64 valid before |
 *     string critical options | string extensions | string reserved | string authority
 */
export function encodeOpenSshBody(
  body: OpenSshCertificateBody,
  keys: { readonly key: Buffer; readonly nonce: Buffer; readonly authority: Buffer },
): Buffer {
  const reader = new WireReader(keys.key);
  const keyType = reader.text();
  const principals = new WireWriter();
  for (const principal of body.principals) principals.string(principal);
  return new WireWriter()
    .string(keyType + openSshCertificateSuffix)
    .string(keys.nonce)
    .raw(keys.key.subarray(reader.offset))
    .uint64(body.serial)
    .uint32(kindNumbers[body.kind])
    .string(body.keyId)
    .string(principals.end())
    .uint64(body.validAfter)
    .uint64(body.validBefore)
    .string(encodeOptions(body.criticalOptions))
    .string(encodeOptions(body.extensions))
    .string('')
    .string(keys.authority)
    .end();
}

/** Parses a certificate, strictly, and verifies nothing. Throws for whatever OpenSSH would not have written. */
export function parseOpenSshCertificate(blob: Buffer): OpenSshCertificate {
  if (blob.length > maximumOpenSshCertificateLength) throw new RangeError('the certificate is too long');
  const reader = new WireReader(blob);
  const { keyType, key } = readKey(reader, blob);
  const serial = reader.uint64();
  const kind = readKind(reader.uint32());
  const keyId = reader.text();
  const principals = readPrincipals(reader.string());
  const validAfter = reader.uint64();
  const validBefore = reader.uint64();
  const criticalOptions = readOptions(reader.string());
  const extensions = readOptions(reader.string());
  if (reader.string().length > 0) throw new RangeError('the reserved field is not empty');
  const authority = reader.string();
  const signed = blob.subarray(0, reader.offset);
  const signature = reader.string();
  reader.end();
  const body = { kind, serial, keyId, principals, validAfter, validBefore, criticalOptions, extensions };
  return { ...body, keyType, key, authority, signed, signature };
}

/** The date of a certificate's second; one that is too far away, such as `forever`, becomes the last date there is. */
export function openSshDate(seconds: bigint): Date {
  const last = 8_640_000_000_000n;
  return new Date(Number(seconds < last ? seconds : last) * 1000);
}

function readKey(reader: WireReader, blob: Buffer): { keyType: OpenSshKeyType; key: Buffer } {
  const type = reader.text();
  const keyType = type.endsWith(openSshCertificateSuffix) ? type.slice(0, -openSshCertificateSuffix.length) : '';
  if (!isOpenSshKeyType(keyType)) throw new RangeError(`certificate type ${JSON.stringify(type)} is not accepted`);
  reader.string();
  const start = reader.offset;
  for (let field = 0; field < openSshKeyFields[keyType]; field += 1) reader.string();
  return { keyType, key: new WireWriter().string(keyType).raw(blob.subarray(start, reader.offset)).end() };
}

function readKind(number: number): OpenSshCertificateKind {
  if (number === kindNumbers.user) return 'user';
  if (number === kindNumbers.host) return 'host';
  throw new RangeError(`certificate kind ${number} does not exist`);
}

function readPrincipals(bytes: Buffer): readonly string[] {
  const reader = new WireReader(bytes);
  const principals: string[] = [];
  while (!reader.done) {
    const principal = reader.text();
    if (principal === '' || principals.length === maximumOpenSshPrincipals) throw new RangeError('bad principals');
    principals.push(principal);
  }
  return principals;
}

function encodeOptions(options: OpenSshOptions): Buffer {
  const writer = new WireWriter();
  const sorted = [...options].sort(([a], [b]) => (a < b ? -1 : 1));
  for (const [name, value] of sorted)
    writer.string(name).string(value === '' ? '' : new WireWriter().string(value).end());
  return writer.end();
}

/** Names strictly ascending, as the format demands: no name appears twice. A value is a string inside the string. */
function readOptions(bytes: Buffer): OpenSshOptions {
  const reader = new WireReader(bytes);
  const options = new Map<string, string>();
  let previous = '';
  while (!reader.done) {
    const name = reader.text();
    if (name <= previous) throw new RangeError('options are not in order');
    previous = name;
    options.set(name, readValue(reader.string()));
  }
  return options;
}

function readValue(data: Buffer): string {
  if (data.length === 0) return '';
  const reader = new WireReader(data);
  const value = reader.text();
  reader.end();
  if (value === '') throw new RangeError('an option has an empty value');
  return value;
}
