import net from 'node:net';
import { normalAddress } from './source-address.js';

/**
 * A PROXY protocol header, by which a load balancer states whom it speaks for.
 *
 * - `none`: the bytes begin with something else.
 * - `header`: `size` bytes long; `source` is absent where the balancer speaks
 *   for itself (a health check) or does not say.
 */
export type ProxyHeader =
  | { readonly kind: 'none' }
  | { readonly kind: 'more' }
  | { readonly kind: 'bad'; readonly reason: string }
  | { readonly kind: 'header'; readonly size: number; readonly source?: string };

const signature = Buffer.from('\r\n\r\n\0\r\nQUIT\n', 'latin1');
const word = Buffer.from('PROXY ', 'latin1');
const maxLine = 107;
/** Addresses and extensions; real balancers send fewer than 300 bytes. */
const maxBlock = 2048;

const more = { kind: 'more' } as const;
const bad = (reason: string): ProxyHeader => ({ kind: 'bad', reason });

/**
 * Parses versions 1 and 2 (the PROXY protocol, HAProxy's proxy-protocol.txt,
 * sections 2.1 and 2.2). Only for connections from addresses that are trusted
 * to send one: from anywhere else such bytes are garbage.
 */
export function parseProxyHeader(head: Buffer): ProxyHeader {
  if (begins(head, word)) return head.length < word.length ? more : parseText(head);
  if (begins(head, signature)) return head.length < signature.length + 4 ? more : parseBinary(head);
  return { kind: 'none' };
}

/** True where one of the two is the beginning of the other. */
function begins(head: Buffer, start: Buffer): boolean {
  const length = Math.min(head.length, start.length);
  return head.compare(start, 0, length, 0, length) === 0;
}

/** `PROXY TCP4 <source> <destination> <source port> <destination port>\r\n`, or `PROXY UNKNOWN …\r\n`. */
function parseText(head: Buffer): ProxyHeader {
  const end = head.subarray(0, maxLine).indexOf('\r\n');
  if (end < 0) return head.length < maxLine ? more : bad('the PROXY line does not end');
  const size = end + 2;
  const [family, source = '', destination = '', ...ports] = head.toString('latin1', word.length, end).split(' ');
  if (family === 'UNKNOWN') return { kind: 'header', size };
  const version = family === 'TCP4' ? 4 : family === 'TCP6' ? 6 : undefined;
  const valid = net.isIP(source) === version && net.isIP(destination) === version && ports.length === 2;
  if (!valid || !ports.every(isPort)) return bad('the PROXY line is malformed');
  return { kind: 'header', size, source: normalAddress(source) };
}

const isPort = (text: string): boolean => /^(0|[1-9]\d{0,4})$/.test(text) && Number(text) <= 65_535;

/**
 *     signature(12) version(4 bits) = 2 command(4 bits) family(4 bits) transport(4 bits) length(2)
 *     source(4 | 16) destination(4 | 16) source_port(2) destination_port(2) extensions
 */
function parseBinary(head: Buffer): ProxyHeader {
  const versionAndCommand = head.readUInt8(12);
  const familyAndTransport = head.readUInt8(13);
  const length = head.readUInt16BE(14);
  if (versionAndCommand >> 4 !== 2) return bad('the PROXY header is of an unknown version');
  if (length > maxBlock) return bad(`a PROXY header of ${length} bytes was announced`);
  const size = 16 + length;
  if (head.length < size) return more;
  const command = versionAndCommand & 15;
  if (command > 1) return bad('the PROXY header has an unknown command');
  if (command === 0 || familyAndTransport === 0) return { kind: 'header', size };
  if (familyAndTransport === 0x11 && length >= 12)
    return { kind: 'header', size, source: head.subarray(16, 20).join('.') };
  if (familyAndTransport === 0x21 && length >= 36)
    return { kind: 'header', size, source: normalAddress(ipv6(head.subarray(16, 32))) };
  return bad('the PROXY header is for no stream that this port knows');
}

function ipv6(address: Buffer): string {
  const groups = Array.from({ length: 8 }, (_, index) => address.readUInt16BE(2 * index).toString(16));
  const mapped = groups.slice(0, 6).join(':') === '0:0:0:0:0:ffff';
  return mapped ? `::ffff:${address.subarray(12).join('.')}` : groups.join(':');
}
