import { Cursor, Malformed, u16be } from './bytes.js';
import { element } from './der.js';

/** Kinds of MCS PDUs (T.125), as their first byte without the lower two bits. */
export const mcs = {
  erectDomain: 0x04,
  disconnect: 0x20,
  attachRequest: 0x28,
  attachConfirm: 0x2c,
  joinRequest: 0x38,
  joinConfirm: 0x3c,
  dataRequest: 0x64,
  dataIndication: 0x68,
  connect: 0x7c,
} as const;

/** Users are counted from here (MS-RDPBCGR 2.2.1.7). */
const firstUser = 1001;

/** The kind of a slow-path PDU behind its X.224 header; throws for another X.224 unit than data. */
export function kindOf(pdu: Uint8Array): number {
  const head = new Cursor(pdu, 4);
  // LI F0 EOT: any other length or code is no data unit.
  if (head.u8() !== 2 || head.u8() !== 0xf0 || head.u8() !== 0x80) throw new Malformed('not an X.224 data unit');
  return head.u8() & 0xfc;
}

/** The second byte of a connect PDU: 0x65 is Connect-Initial, 0x66 Connect-Response. */
export const connectTag = (pdu: Uint8Array): number | undefined => (pdu[7] === 0x7f ? pdu[8] : undefined);

export interface ChannelData {
  /** The user who sends, or whom it is for. */
  readonly user: number;
  readonly channel: number;
  /** Shares memory with the PDU. */
  readonly payload: Buffer;
}

/**
 * Opens a Send Data Request or Indication.
 *
 *     TPKT(4) X.224(3) | 64 or 68 | user - 1001 (u16be) | channel (u16be) | priority | length (PER) | payload
 */
export function readChannelData(pdu: Buffer): ChannelData {
  const head = new Cursor(pdu, 8);
  const user = head.u16be() + firstUser;
  const channel = head.u16be();
  const length = perLength(head.skip(1));
  if (length !== head.left) throw new Malformed(`a payload of ${length} bytes where there are ${head.left}`);
  return { user, channel, payload: pdu.subarray(head.at) };
}

/** The longest payload that one Send Data PDU holds. */
const maxPayload = 16_383;

export function channelData(
  kind: typeof mcs.dataRequest | typeof mcs.dataIndication,
  to: { readonly user: number; readonly channel: number },
  payload: Uint8Array,
): Buffer {
  if (payload.length > maxPayload) throw new RangeError(`${payload.length} bytes do not fit in one PDU`);
  const priority = Buffer.from([0x70]);
  const head = [Buffer.from([kind]), u16be(to.user - firstUser), u16be(to.channel), priority];
  return dataUnit(Buffer.concat([...head, u16be(0x8000 | payload.length), payload]));
}

/** Wraps an MCS PDU into X.224 and TPKT. */
const dataUnit = (body: Uint8Array): Buffer =>
  Buffer.concat([Buffer.from([3, 0]), u16be(7 + body.length), Buffer.from([2, 0xf0, 0x80]), body]);

export const erectDomain = dataUnit(Buffer.from([mcs.erectDomain, 1, 0, 1, 0]));
export const attachRequest = dataUnit(Buffer.from([mcs.attachRequest]));
export const attachConfirm = (user: number): Buffer =>
  dataUnit(Buffer.concat([Buffer.from([0x2e, 0]), u16be(user - firstUser)]));
export const joinRequest = (user: number, channel: number): Buffer =>
  dataUnit(Buffer.concat([Buffer.from([mcs.joinRequest]), u16be(user - firstUser), u16be(channel)]));
export const joinConfirm = (user: number, channel: number): Buffer =>
  dataUnit(Buffer.concat([Buffer.from([0x3e, 0]), u16be(user - firstUser), u16be(channel), u16be(channel)]));

/** Disconnect Provider Ultimatum, reason `user requested` (3): the end as both sides wish it. */
export const disconnectUltimatum = dataUnit(Buffer.from([0x21, 0x80]));

/** The user id of an Attach User Confirm; a refusal is malformed, since no server has a reason for one. */
export function attachedUser(pdu: Uint8Array): number {
  const body = new Cursor(pdu, 8);
  if (body.u8() !== 0) throw new Malformed('the user was not attached');
  return body.u16be() + firstUser;
}

/** User and channel of a Channel Join Request. */
export function joinedChannel(pdu: Uint8Array): { readonly user: number; readonly channel: number } {
  const body = new Cursor(pdu, 8);
  return { user: body.u16be() + firstUser, channel: body.u16be() };
}

/** A length in aligned PER: one byte, or two with the uppermost bit set. */
function perLength(cursor: Cursor): number {
  const first = cursor.u8();
  return first & 0x80 ? ((first & 0x7f) << 8) | cursor.u8() : first;
}

/** Skips one BER element, whatever it is. */
function skipElement(cursor: Cursor): void {
  cursor.skip(1);
  cursor.skip(berLength(cursor));
}

function berLength(cursor: Cursor): number {
  const first = cursor.u8();
  if (first < 0x80) return first;
  if (first === 0x81) return cursor.u8();
  if (first === 0x82) return cursor.u16be();
  throw new Malformed('a length of more than two bytes');
}

/** One block of the GCC conference data: `offset` is where its type stands in the PDU, `length` counts from there. */
export interface Block {
  readonly type: number;
  readonly offset: number;
  readonly length: number;
}

const gccKeys = { 0x65: 'Duca', 0x66: 'McDn' } as const;

/** The blocks in a Connect-Initial (0x65) or Connect-Response (0x66), MS-RDPBCGR 2.2.1.3 and 2.2.1.4. */
export function conferenceBlocks(pdu: Buffer, tag: keyof typeof gccKeys): Block[] {
  kindOf(pdu);
  if (connectTag(pdu) !== tag) throw new Malformed('not the MCS connect PDU that is due');
  const head = new Cursor(pdu, 9);
  berLength(head);
  // Initial: calling and called domain, upward flag, three sets of parameters. Response: result, id, parameters.
  for (let skipped = tag === 0x65 ? 6 : 3; skipped > 0; skipped -= 1) skipElement(head);
  if (head.u8() !== 0x04) throw new Malformed('no user data in an MCS connect PDU');
  const length = berLength(head);
  const data = new Cursor(pdu, head.at, head.at + length);
  const key = pdu.indexOf(gccKeys[tag], data.at, 'latin1');
  if (key < 0 || key > data.at + 40) throw new Malformed('no GCC conference data');
  const inner = new Cursor(pdu, key + 4, data.end);
  const blocks = new Cursor(pdu, inner.at, inner.end);
  const size = perLength(blocks);
  return [...readBlocks(new Cursor(pdu, blocks.at, blocks.at + size))];
}

function* readBlocks(cursor: Cursor): Generator<Block> {
  while (cursor.left > 0) {
    const offset = cursor.at;
    const type = cursor.u16();
    const length = cursor.u16();
    if (length < 4) throw new Malformed('a block that is shorter than its header');
    cursor.skip(length - 4);
    yield { type, offset, length };
  }
}

const domainParameters = element(
  0x30,
  ...[[34], [3], [0], [1], [0], [1], [0, 0xff, 0xf8], [2]].map((value) => element(2, Buffer.from(value))),
);

/** A Connect-Response around blocks of server data. */
export function connectResponse(blocks: Uint8Array): Buffer {
  const gcc = Buffer.from('14760a01010001c0004d63446e', 'hex');
  const inner = Buffer.concat([gcc, u16be(0x8000 | blocks.length), blocks]);
  const data = Buffer.concat([Buffer.from('000500147c0001', 'hex'), u16be(0x8000 | inner.length), inner]);
  const parts = [element(0x0a, Buffer.from([0])), element(2, Buffer.from([0])), domainParameters, element(4, data)];
  return dataUnit(Buffer.concat([Buffer.from([0x7f]), element(0x66, ...parts)]));
}

/** A Connect-Initial around blocks of client data. */
export function connectInitial(blocks: Uint8Array): Buffer {
  const gcc = Buffer.from('000800100001c00044756361', 'hex');
  const inner = Buffer.concat([gcc, u16be(0x8000 | blocks.length), blocks]);
  const data = Buffer.concat([Buffer.from('000500147c0001', 'hex'), u16be(0x8000 | inner.length), inner]);
  const selectors = [element(4, Buffer.from([1])), element(4, Buffer.from([1])), element(1, Buffer.from([0xff]))];
  const parts = [...selectors, domainParameters, domainParameters, domainParameters, element(4, data)];
  return dataUnit(Buffer.concat([Buffer.from([0x7f]), element(0x65, ...parts)]));
}
