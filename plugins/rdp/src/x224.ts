import { asBuffer, Cursor, Malformed, u16be, u32 } from './bytes.js';

/** Security protocols (MS-RDPBCGR 2.2.1.1.1); bits of what a client asks for. */
export const security = { rdp: 0, tls: 1, hybrid: 2 } as const;

/** Why a server says no before anything else was said (MS-RDPBCGR 2.2.1.2.2). */
export const negotiationFailure = { tlsRequired: 1, tlsNotAllowed: 2, inconsistent: 4, hybridRequired: 5 } as const;

/** Longest Connection Request that is read: a cookie or routing token, negotiation and correlation fit in it. */
export const maxRequestBytes = 1024;

export interface ConnectionRequest {
  /** What the client calls its user, perhaps cut off: `Cookie: mstshash=…`. */
  readonly user: string | undefined;
  readonly protocols: number;
}

/**
 * Reads an X.224 Connection Request, header included (MS-RDPBCGR 2.2.1.1).
 *
 *     03 00 length | LI E0 dst(2) src(2) class | [token CR LF] | [01 flags 08 00 protocols(u32)] | [correlation]
 */
export function readConnectionRequest(pdu: Uint8Array): ConnectionRequest {
  const body = unit(pdu, 0xe0);
  const text = asBuffer(body.bytes.subarray(body.at, body.end));
  const lineEnd = text.indexOf('\r\n', 0, 'latin1');
  // A negotiation request may hold these two bytes as well, but begins with neither of the known words.
  const line = lineEnd < 0 ? '' : text.toString('latin1', 0, lineEnd);
  const hasLine = /^Cookie: |^tsv:|^[\x20-\x7e]{12,}$/.test(line);
  if (hasLine) body.skip(lineEnd + 2);
  const user = /^Cookie: mstshash=(.{1,256})$/.exec(line)?.[1];
  if (body.left < 8 || body.u8() !== 1) return { user, protocols: security.rdp };
  body.skip(3);
  return { user, protocols: body.u32() };
}

export function connectionRequest(protocols: number, user: string): Buffer {
  // It stands in clear on the wire and only serves load balancers: no line ends may get in.
  const cookie = Buffer.from(`Cookie: mstshash=${user.replace(/[^\x21-\x7e]/g, '').slice(0, 9)}\r\n`, 'latin1');
  return connectionUnit(0xe0, Buffer.concat([cookie, negotiation(1, 0, protocols)]));
}

export type ConnectionAnswer =
  | { readonly kind: 'selected'; readonly protocol: number; readonly flags: number }
  | { readonly kind: 'failed'; readonly code: number };

/** Reads an X.224 Connection Confirm (MS-RDPBCGR 2.2.1.2). One without a negotiation selects RDP's own security. */
export function readConnectionConfirm(pdu: Uint8Array): ConnectionAnswer {
  const body = unit(pdu, 0xd0);
  if (body.left === 0) return { kind: 'selected', protocol: security.rdp, flags: 0 };
  const type = body.u8();
  const flags = body.u8();
  const value = body.skip(2).u32();
  if (type === 2) return { kind: 'selected', protocol: value, flags };
  if (type === 3) return { kind: 'failed', code: value };
  throw new Malformed(`a negotiation answer of type ${type}`);
}

/** Says that TLS comes next. Flag 1: extended client data is understood; nothing of graphics pipelines. */
export const connectionConfirm = (protocol: number): Buffer => connectionUnit(0xd0, negotiation(2, 1, protocol));

export const connectionFailure = (code: number): Buffer => connectionUnit(0xd0, negotiation(3, 0, code));

/** The length of a TPKT from its first four bytes. */
export function requestLength(head: Uint8Array): number {
  const cursor = new Cursor(head);
  if (cursor.u8() !== 3) throw new Malformed('not an RDP connection');
  return cursor.skip(1).u16be();
}

function unit(pdu: Uint8Array, code: number): Cursor {
  const head = new Cursor(pdu);
  if (head.u8() !== 3) throw new Malformed('not a TPKT');
  if (head.skip(1).u16be() !== pdu.length) throw new Malformed('a TPKT of another length');
  const end = 5 + head.u8();
  if ((head.u8() & 0xf0) !== code) throw new Malformed('not the X.224 unit that is due');
  return new Cursor(pdu, head.skip(5).at, Math.min(end, pdu.length));
}

const negotiation = (type: number, flags: number, value: number): Buffer =>
  Buffer.concat([Buffer.from([type, flags, 8, 0]), u32(value)]);

function connectionUnit(code: number, variable: Buffer): Buffer {
  const body = Buffer.concat([Buffer.from([6 + variable.length, code, 0, 0, 0, 0, 0]), variable]);
  return Buffer.concat([Buffer.from([3, 0]), u16be(4 + body.length), body]);
}
