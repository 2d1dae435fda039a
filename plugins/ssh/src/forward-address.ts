import { isIP, isIPv6 } from 'node:net';

/**
 * A destination that a client names, in the one spelling in which roles are
 * asked: lower case, addresses in their usual form. `undefined` for what is
 * neither a name nor an address, such as `127.1` or `0x7f000001`, which a
 * resolver would take for an address that no role names.
 */
export function destinationHost(host: string): string | undefined {
  const bare = host.toLowerCase().replace(/^\[(.*)\]$/, '$1');
  const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/.exec(bare)?.[1];
  if (mapped !== undefined) return isIP(mapped) ? mapped : undefined;
  if (isIPv6(bare)) return bare.includes('%') ? undefined : new URL(`http://[${bare}]`).hostname.slice(1, -1);
  if (isIP(bare)) return bare;
  const name = bare.replace(/\.$/, '');
  if (name.length > 253 || !/^[a-z0-9_]([a-z0-9_.-]*[a-z0-9_])?$/.test(name)) return undefined;
  // A last label that is a number makes the whole an address for a resolver.
  return /(^|\.)(\d+|0x[0-9a-f]*)$/.test(name) ? undefined : name;
}

/** Where the node listens for a client, as roles know it: whatever the client names, only loopback is offered. */
export function listeningHost(bindAddress: string): string | undefined {
  if (bindAddress === '' || bindAddress === 'localhost') return 'localhost';
  return destinationHost(bindAddress);
}

const loopback: ReadonlySet<string> = new Set(['localhost', '127.0.0.1', '::1']);

/** True for an address on which a client may have the node listen. */
export const isLoopback = (host: string): boolean => loopback.has(host);
