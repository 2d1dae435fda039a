import { isIP, SocketAddress } from 'node:net';

/** Whether two texts name the same address, however IPv6 was written and whether IPv4 came as itself or mapped. */
export function isSameAddress(a: string, b: string): boolean {
  const first = canonical(a);
  return first !== undefined && first === canonical(b);
}

function canonical(text: string): string | undefined {
  const address = text.replace(/%.*$/, '');
  const family = isIP(address);
  if (family === 0) return undefined;
  const { address: written } = new SocketAddress({ address, family: family === 6 ? 'ipv6' : 'ipv4' });
  return written.toLowerCase().replace(/^::ffff:(?=\d+\.)/, '');
}
