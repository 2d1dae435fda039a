import { Cursor, Malformed, u16, u32 } from './bytes.js';

/** Types of share control PDUs (MS-RDPBCGR 2.2.8.1.1.1.1). */
export const share = { demandActive: 1, confirmActive: 3, deactivateAll: 6, data: 7, redirection: 10 } as const;

/** Types of share data PDUs (MS-RDPBCGR 2.2.8.1.1.1.2). */
export const shareData = {
  update: 2,
  control: 20,
  pointer: 27,
  input: 28,
  synchronize: 31,
  refresh: 33,
  saveSessionInfo: 38,
  fontList: 39,
  fontMap: 40,
  setErrorInfo: 47,
} as const;

/** Where the body of a share data PDU begins. */
export const shareDataHeader = 18;

export interface ShareHeader {
  readonly type: number;
  /** Type and compression of a data PDU. */
  readonly data: { readonly type: number; readonly compression: number } | undefined;
}

/**
 * Reads the headers of a PDU on the I/O channel.
 *
 *     totalLength u16 | pduType u16 | source u16                                       share control
 *     shareId u32 | pad u8 | stream u8 | uncompressed u16 | type u8 | compression u8 | compressed u16   share data
 */
export function readShareHeader(payload: Uint8Array): ShareHeader {
  const cursor = new Cursor(payload);
  const length = cursor.u16();
  const type = cursor.u16() & 0x0f;
  if (length !== payload.length) throw new Malformed(`a share PDU of ${length} bytes in ${payload.length}`);
  if (type !== share.data) return { type, data: undefined };
  const data = cursor.skip(10).u8();
  const compression = cursor.u8();
  cursor.skip(2);
  return { type, data: { type: data, compression } };
}

/** The share id, which Demand Active gives out and everything else repeats. */
export const shareIdOf = (payload: Uint8Array): number => new Cursor(payload, 6).u32();

export interface Sharing {
  readonly source: number;
  readonly shareId: number;
}

export function shareControlPdu(type: number, source: number, body: Uint8Array): Buffer {
  return Buffer.concat([u16(6 + body.length), u16(0x10 | type), u16(source), body]);
}

export function shareDataPdu(type: number, { source, shareId }: Sharing, body: Uint8Array): Buffer {
  const sizes = Buffer.concat([u16(body.length + 4), Buffer.from([type, 0]), u16(0)]);
  return shareControlPdu(share.data, source, Buffer.concat([u32(shareId), Buffer.from([0, 1]), sizes, body]));
}

/** Why a session ends (MS-RDPBCGR 2.2.5.1.1), in words that clients print. */
export const errorInfo = {
  administrator: 0x01,
  denied: 0x07,
  insufficientPrivileges: 0x09,
  freshCredentials: 0x0a,
  notFound: 0x0400,
} as const;

export const setErrorInfo = (sharing: Sharing, code: number): Buffer =>
  shareDataPdu(shareData.setErrorInfo, sharing, u32(code));

/** A licence that needs no further exchange: error `valid client` (MS-RDPBCGR 2.2.1.12). */
export const validLicence = Buffer.from('80000000ff031000070000000200000004000000', 'hex');
