/** Begins the label of a name that is no DNS label. No resource may have a name that begins so. */
export const hashedPrefix = 'sha256-';

/** A DNS label as it stands in our names: letters, digits and inner dashes, lower case (RFC 1123, section 2.1). */
const label = /^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/;

export const isLabel = (text: string): boolean => label.test(text);

/** True for a name that a resource must not have, since it could be taken for another one's label. */
export const isReservedName = (name: string): boolean => name.startsWith(hashedPrefix);

/**
 * The label under which a resource is reached: its name where that is a DNS
 * label, otherwise 26 base32 characters of its SHA-256 behind
 * {@link hashedPrefix}. Names that differ in case only get different labels.
 */
export function routeLabel(name: string): string {
  if (isLabel(name) && !isReservedName(name)) return name;
  // Loaded here: most names are labels, and native clients wait for a program that only puts names together.
  const { createHash } = process.getBuiltinModule('node:crypto');
  return hashedPrefix + base32(createHash('sha256').update(name, 'utf8').digest()).slice(0, 26);
}

/** The name by which clients reach a resource: `<resource>.<kind>.<cluster>`. */
export function routeName(cluster: string, kind: string, resource: string): string {
  return `${routeLabel(resource)}.${kind}.${cluster}`;
}

/** RFC 4648, section 6, lower case and without padding. */
function base32(data: Buffer): string {
  let bits = '';
  for (const byte of data) bits += byte.toString(2).padStart(8, '0');
  const digits = bits.match(/.{5}/g) ?? [];
  return digits.map((digit) => 'abcdefghijklmnopqrstuvwxyz234567'.charAt(Number.parseInt(digit, 2))).join('');
}
