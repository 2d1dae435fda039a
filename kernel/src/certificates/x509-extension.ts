import { derContext, derElement, derObjectIdentifier, derTag } from './der.js';
import { extensionOid } from './x509-fields.js';

/** One encoded Extension (RFC 5280 section 4.1), whose `value` is the DER that its OCTET STRING holds. */
export function encodeExtension(oid: string, value: Uint8Array, critical = false): Buffer {
  return derElement(
    derTag.sequence,
    derElement(derTag.objectIdentifier, derObjectIdentifier(oid)),
    ...(critical ? [yes] : []),
    derElement(derTag.octetString, value),
  );
}

const yes = derElement(derTag.boolean, Buffer.from([0xff]));

/** Critical basic constraints (RFC 5280 section 4.2.1.9): an authority with nothing but leaves below it, or a leaf. */
export const basicConstraints = (of: 'authority' | 'leaf'): Buffer =>
  encodeExtension(
    extensionOid.basicConstraints,
    derElement(derTag.sequence, ...(of === 'authority' ? [yes, derElement(derTag.integer, Buffer.from([0]))] : [])),
    true,
  );

/** The bits of a key usage (RFC 5280 section 4.2.1.3) in one byte, from the highest, and how many below are unused. */
const keyUsages = {
  'digital signature': { bits: 0x80, unused: 7 },
  'certificates and revocation lists': { bits: 0x06, unused: 1 },
} as const;

/** Critical key usage: what the certified key signs. */
export const keyUsage = (signs: keyof typeof keyUsages): Buffer => {
  const { bits, unused } = keyUsages[signs];
  return encodeExtension(extensionOid.keyUsage, derElement(derTag.bitString, Buffer.from([unused, bits])), true);
};

/** Extended key usages (RFC 5280 section 4.2.1.12), by object identifier. */
export const extendedKeyUsage = (usages: readonly string[]): Buffer =>
  encodeExtension(
    extensionOid.extendedKeyUsage,
    derElement(derTag.sequence, ...usages.map((oid) => derElement(derTag.objectIdentifier, derObjectIdentifier(oid)))),
  );

/** DNS names (RFC 5280 section 4.2.1.6), which the caller has checked: ASCII. */
export const alternativeNames = (names: readonly string[]): Buffer =>
  encodeExtension(
    extensionOid.subjectAltName,
    derElement(derTag.sequence, ...names.map((name) => derElement(generalName.dns, Buffer.from(name, 'latin1')))),
  );

/** Which of the issuer's keys signed (RFC 5280 section 4.2.1.1). */
export const authorityKeyIdentifier = (id: Uint8Array): Buffer =>
  encodeExtension(
    extensionOid.authorityKeyIdentifier,
    derElement(derTag.sequence, derElement(primitiveContext(0), id)),
  );

/** Which key is certified (RFC 5280 section 4.2.1.2). */
export const subjectKeyIdentifier = (id: Uint8Array): Buffer =>
  encodeExtension(extensionOid.subjectKeyIdentifier, derElement(derTag.octetString, id));

/**
 * Critical name constraints (RFC 5280 section 4.2.1.10): DNS names only inside
 * the cluster. A form that is not mentioned would be free, so mail addresses and
 * URIs are held to the cluster too, and no IP address is possible at all.
 */
export function nameConstraints(cluster: string): Buffer {
  const base = (tag: number, value: Uint8Array): Buffer => derElement(derTag.sequence, derElement(tag, value));
  const inside = [generalName.dns, generalName.email, generalName.uri].map((tag) => base(tag, Buffer.from(cluster)));
  const addresses = [4, 16].map((bytes) => base(generalName.address, Buffer.alloc(2 * bytes)));
  const value = derElement(
    derTag.sequence,
    derElement(derContext(0), ...inside),
    derElement(derContext(1), ...addresses),
  );
  return encodeExtension(extensionOid.nameConstraints, value, true);
}

/** A context-specific, primitive tag (X.690 section 8.1.2). */
const primitiveContext = (number: number): number => 0x80 | number;

/** The tags of GeneralName (RFC 5280 section 4.2.1.6). */
const generalName = {
  email: primitiveContext(1),
  dns: primitiveContext(2),
  uri: primitiveContext(6),
  address: primitiveContext(7),
} as const;
