import { asBuffer, Cursor, Malformed, u16, u32 } from './bytes.js';
import { conferenceBlocks, connectResponse, type Block } from './mcs.js';

/** Types of blocks in the conference data (MS-RDPBCGR 2.2.1.3.1). */
export const block = {
  clientCore: 0xc001,
  clientSecurity: 0xc002,
  clientNetwork: 0xc003,
  clientMultitransport: 0xc00a,
  serverCore: 0x0c01,
  serverSecurity: 0x0c02,
  serverNetwork: 0x0c03,
  serverMessageChannel: 0x0c04,
} as const;

/** Bits of `earlyCapabilityFlags` in the client's core data. */
const early = {
  errorInfo: 0x0001,
  want32Bits: 0x0002,
  networkAutodetect: 0x0080,
  graphicsPipeline: 0x0100,
  heartbeat: 0x0400,
} as const;

/** Offsets in the client's core data, from the block's type. Older clients end somewhere in between. */
const core = { highColorDepth: 140, supportedColorDepths: 142, earlyFlags: 144, selectedProtocol: 212 } as const;

/** The most static channels that the protocol allows. */
const maxChannels = 31;

export interface StaticChannel {
  readonly name: string;
  /** Where its name stands in the PDU. */
  readonly offset: number;
}

/** What the gateway reads in a Connect-Initial. */
export interface ClientConference {
  readonly channels: readonly StaticChannel[];
  /** True where the client understands why a session ends. */
  readonly errorInfo: boolean;
  readonly width: number;
  readonly height: number;
}

export interface ConferenceEdit {
  /** What the target selected, which it compares with what it hears here. */
  readonly selectedProtocol: number;
  /** True where the graphics pipeline must not be used. */
  readonly bitmapsOnly: boolean;
  /** True for a client that asks for 16 bits and can do 32. */
  readonly raiseDepth: boolean;
  /** Channels that must not come into being. */
  readonly denied: ReadonlySet<string>;
}

export function readClientConference(pdu: Buffer): ClientConference {
  const blocks = conferenceBlocks(pdu, 0x65);
  const own = find(blocks, block.clientCore);
  if (!own || own.length < 128) throw new Malformed('no core data of the client');
  const flags = own.length >= core.earlyFlags + 2 ? pdu.readUInt16LE(own.offset + core.earlyFlags) : 0;
  const network = find(blocks, block.clientNetwork);
  return {
    channels: network ? staticChannels(pdu, network) : [],
    errorInfo: (flags & early.errorInfo) !== 0,
    width: pdu.readUInt16LE(own.offset + 8),
    height: pdu.readUInt16LE(own.offset + 10),
  };
}

function staticChannels(pdu: Buffer, { offset, length }: Block): StaticChannel[] {
  const cursor = new Cursor(pdu, offset + 4, offset + length);
  const count = cursor.u32();
  if (count > maxChannels) throw new Malformed(`${count} static channels`);
  return Array.from({ length: count }, () => {
    const at = cursor.at;
    const name = asBuffer(cursor.take(8)).toString('latin1').replace(/\0.*$/s, '').toLowerCase();
    cursor.skip(4);
    return { name, offset: at };
  });
}

/** A copy of a Connect-Initial of the same length, as the target may hear it. */
export function editClientConference(pdu: Buffer, edit: ConferenceEdit): Buffer {
  const edited = Buffer.from(pdu);
  const blocks = conferenceBlocks(pdu, 0x65);
  for (const found of blocks) {
    if (found.type === block.clientCore) editCore(edited, found, edit);
    // No side channels over UDP, which would go around the gateway.
    if (found.type === block.clientMultitransport && found.length >= 8) edited.writeUInt32LE(0, found.offset + 4);
  }
  for (const { name, offset } of readClientConference(pdu).channels)
    // The place stays, so that the ids of the others do too; no server knows the name.
    if (edit.denied.has(name)) edited.write(`x${name}`.slice(0, 7).padEnd(8, '\0'), offset, 'latin1');
  return edited;
}

function editCore(pdu: Buffer, { offset, length }: Block, edit: ConferenceEdit): void {
  if (length >= core.selectedProtocol + 4) pdu.writeUInt32LE(edit.selectedProtocol, offset + core.selectedProtocol);
  if (length < core.earlyFlags + 2) return;
  let flags = pdu.readUInt16LE(offset + core.earlyFlags);
  if (edit.bitmapsOnly) flags &= ~(early.graphicsPipeline | early.heartbeat | early.networkAutodetect);
  if (edit.raiseDepth) {
    flags |= early.want32Bits;
    pdu.writeUInt16LE(24, offset + core.highColorDepth);
    pdu.writeUInt16LE(pdu.readUInt16LE(offset + core.supportedColorDepths) | 0x0f, offset + core.supportedColorDepths);
  }
  pdu.writeUInt16LE(flags & 0xffff, offset + core.earlyFlags);
}

/** What the gateway reads in a Connect-Response. */
export interface ServerConference {
  /** The channel of desktop and input. */
  readonly ioChannel: number;
  /** The static channels' ids, in the order in which the client named them. */
  readonly channels: readonly number[];
  readonly messageChannel: number | undefined;
}

export function readServerConference(pdu: Buffer): ServerConference {
  const blocks = conferenceBlocks(pdu, 0x66);
  const network = find(blocks, block.serverNetwork);
  if (!network) throw new Malformed('no network data of the server');
  const cursor = new Cursor(pdu, network.offset + 4, network.offset + network.length);
  const ioChannel = cursor.u16();
  const count = cursor.u16();
  if (count > maxChannels) throw new Malformed(`${count} static channels`);
  const channels = Array.from({ length: count }, () => cursor.u16());
  const message = find(blocks, block.serverMessageChannel);
  const messageChannel = message && message.length >= 6 ? pdu.readUInt16LE(message.offset + 4) : undefined;
  return { ioChannel, channels, messageChannel };
}

/** A copy of a Connect-Response that tells the client what it asked for itself, which it checks. */
export function editServerConference(pdu: Buffer, requestedProtocols: number): Buffer {
  const edited = Buffer.from(pdu);
  const own = find(conferenceBlocks(pdu, 0x66), block.serverCore);
  if (own && own.length >= 12) edited.writeUInt32LE(requestedProtocols, own.offset + 8);
  return edited;
}

/** The Connect-Response of a server with the I/O channel 1003 and the static channels behind it. */
export function serverConference(requestedProtocols: number, channels: number): Buffer {
  const ids = Array.from({ length: channels }, (_, index) => u16(ioChannel + 1 + index));
  const padding = channels % 2 === 1 ? [u16(0)] : [];
  return connectResponse(
    Buffer.concat([
      dataBlock(block.serverCore, u32(0x0008_0004), u32(requestedProtocols), u32(0)),
      dataBlock(block.serverSecurity, u32(0), u32(0)),
      dataBlock(block.serverNetwork, u16(ioChannel), u16(channels), ...ids, ...padding),
    ]),
  );
}

/** The I/O channel's usual id. */
export const ioChannel = 1003;

/** A block of conference data. */
export function dataBlock(type: number, ...fields: readonly Buffer[]): Buffer {
  const body = Buffer.concat(fields);
  return Buffer.concat([u16(type), u16(4 + body.length), body]);
}

const find = (blocks: readonly Block[], type: number): Block | undefined => blocks.find((one) => one.type === type);
