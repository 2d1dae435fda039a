import { readFile } from 'node:fs/promises';
import type net from 'node:net';

/** The uid of whoever holds the other end of a loopback connection, by the kernel's own table; Linux only. */
export async function ownerOf(socket: net.Socket): Promise<number | undefined> {
  const { localPort, remotePort } = socket;
  if (localPort === undefined || remotePort === undefined) return undefined;
  for (const file of ['/proc/net/tcp', '/proc/net/tcp6']) {
    const owner = ownerIn(await readFile(file, 'latin1').catch(() => ''), { from: remotePort, to: localPort });
    if (owner !== undefined) return owner;
  }
  return undefined;
}

/** IPv4 loopback, alone and mapped into IPv6, as `proc(5)` writes it: 32-bit words in the machine's byte order. */
const loopback = new Set(['0100007F', '0000000000000000FFFF00000100007F']);

/**
 * Finds the owner of the connection from one loopback port to another in the
 * text of `/proc/net/tcp`. A socket that its process has closed has no inode any
 * more, and is shown as root's: it belongs to nobody.
 */
export function ownerIn(
  table: string,
  { from, to }: { readonly from: number; readonly to: number },
): number | undefined {
  for (const line of table.split('\n')) {
    const [, local = '', remote = '', , , , , uid = '', , inode = '0'] = line.trim().split(/\s+/);
    if (portAt(local) !== from || portAt(remote) !== to) continue;
    return /^\d+$/.test(uid) && Number(inode) > 0 ? Number(uid) : undefined;
  }
  return undefined;
}

function portAt(address: string): number | undefined {
  const [host = '', port = ''] = address.split(':');
  return loopback.has(host) ? Number.parseInt(port, 16) : undefined;
}
