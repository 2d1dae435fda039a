import { asBuffer, Cursor, u16, u32 } from './bytes.js';

/** Flags of a security header (MS-RDPBCGR 2.2.8.1.1.2.1), as far as TLS leaves a use for them. */
export const securityFlag = { clientInfo: 0x0040, licence: 0x0080, redirection: 0x0400 } as const;

const flag = {
  autoLogon: 0x0008,
  unicode: 0x0010,
  compression: 0x0080,
  compressionType: 0x1e00,
  compression64K: 0x0200,
  pinAsPassword: 0x0004_0000,
} as const;

/** Whom the gateway logs in. */
export interface Account {
  readonly user: string;
  readonly domain: string;
  readonly password: string;
}

/** What is in a client's info packet, besides the credentials, which nobody needs. */
export interface ClientInfo {
  readonly codePage: number;
  readonly flags: number;
  readonly user: string;
  readonly shell: string;
  readonly directory: string;
  /** The extended part. */
  readonly extra: Buffer;
}

/**
 * Reads a TS_INFO_PACKET (MS-RDPBCGR 2.2.1.11.1.1), which follows the security
 * header of 4 bytes in the first payload on the I/O channel.
 */
export function readClientInfo(payload: Uint8Array): ClientInfo {
  const cursor = new Cursor(payload, 4);
  const codePage = cursor.u32();
  const flags = cursor.u32();
  const unicode = (flags & flag.unicode) !== 0;
  const lengths = [cursor.u16(), cursor.u16(), cursor.u16(), cursor.u16(), cursor.u16()];
  const texts = lengths.map((length) => {
    const bytes = asBuffer(cursor.take(length));
    // Lengths do not count the terminator, which has the size of a character.
    cursor.skip(unicode ? 2 : 1);
    return bytes.toString(unicode ? 'utf16le' : 'latin1');
  });
  const [, user = '', , shell = '', directory = ''] = texts;
  return { codePage, flags, user, shell, directory, extra: asBuffer(cursor.rest()) };
}

/** The same packet, with its security header, for an account of the gateway's choice. */
export function writeClientInfo(info: ClientInfo, { domain, user, password }: Account): Buffer {
  const texts = [domain, user, password, info.shell, info.directory].map((text) => Buffer.from(text, 'utf16le'));
  const packs = (info.flags & flag.compression) !== 0;
  const kept = info.flags & ~(flag.pinAsPassword | flag.compressionType);
  const flags = kept | flag.autoLogon | flag.unicode | (packs ? flag.compression64K : 0);
  return Buffer.concat([
    u16(securityFlag.clientInfo),
    u16(0),
    u32(info.codePage),
    u32(flags),
    ...texts.map(({ length }) => u16(length)),
    ...texts.flatMap((text) => [text, u16(0)]),
    withoutCookie(info.extra),
  ]);
}

/**
 * The extended part (MS-RDPBCGR 2.2.1.11.1.1.1) without the cookie by which a
 * client gets back into a session: it would let in whoever has it.
 */
function withoutCookie(extra: Buffer): Buffer {
  if (extra.length === 0) return extra;
  const cursor = new Cursor(extra, 2);
  cursor.skip(cursor.u16());
  cursor.skip(cursor.u16());
  // Time zone, session id, performance flags: older clients end before one of them.
  if (cursor.left < 172 + 4 + 4 + 2) return extra;
  const at = cursor.skip(172 + 4 + 4).at;
  const length = cursor.u16();
  cursor.skip(length);
  return length === 0 ? extra : Buffer.concat([extra.subarray(0, at), u16(0), extra.subarray(cursor.at)]);
}

/** Whether a payload before the session is active bears this flag in its security header. */
export const hasSecurityFlag = (payload: Uint8Array, wanted: number): boolean =>
  payload.length >= 4 && (new Cursor(payload).u16() & wanted) !== 0;
