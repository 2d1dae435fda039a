import { PosternError } from '@postern/plugin-sdk';
import net from 'node:net';

/** An address as text, the same text for the same host: mapped IPv4 as IPv4, no zone. */
export function normalAddress(address: string): string {
  const bare = address.replace(/%.*$/, '').toLowerCase();
  const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/.exec(bare)?.[1];
  return mapped ?? bare;
}

/**
 * Whom limits count: an IPv4 address, or the /64 of an IPv6 address, since one
 * host there has 2^64 addresses to come from.
 */
export function limitKey(address: string): string {
  if (!net.isIPv6(address)) return address;
  const [head = '', tail] = address.split('::');
  const groups = head === '' ? [] : head.split(':');
  // Without `::` all eight groups are there; with it the gap is filled as far as the first four groups need.
  if (tail !== undefined) {
    const after = tail === '' ? [] : tail.split(':');
    while (groups.length + after.length < 8) groups.push('0');
    groups.push(...after);
  }
  const prefix = groups.slice(0, 4).map((group) => Number.parseInt(group, 16).toString(16));
  return `${prefix.join(':')}::/64`;
}

/** A set of addresses in CIDR notation (`10.0.0.0/8`, `2001:db8::/32`, or single addresses). */
export class AddressSet {
  readonly #list = new net.BlockList();
  readonly #empty: boolean;

  /** Throws `invalid_config` for an entry that is no address and no CIDR block. */
  constructor(entries: readonly string[]) {
    this.#empty = entries.length === 0;
    for (const entry of entries) this.#add(entry);
  }

  has(address: string): boolean {
    if (this.#empty) return false;
    const family = net.isIP(address);
    return family !== 0 && this.#list.check(address, family === 6 ? 'ipv6' : 'ipv4');
  }

  #add(entry: string): void {
    const [address = '', prefix, ...rest] = entry.split('/');
    const family = net.isIP(address);
    const bits = prefix === undefined ? (family === 6 ? 128 : 32) : /^\d{1,3}$/.test(prefix) ? Number(prefix) : -1;
    if (family === 0 || rest.length > 0 || bits < 0 || bits > (family === 6 ? 128 : 32))
      throw PosternError.public('invalid_config', `${JSON.stringify(entry)} is no address and no CIDR block`);
    this.#list.addSubnet(address, bits, family === 6 ? 'ipv6' : 'ipv4');
  }
}
