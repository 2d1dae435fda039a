import { once } from 'node:events';
import { Duplex } from 'node:stream';
import tls from 'node:tls';
import { FrameReader, write } from '@postern/plugin-sdk';
import { u16, u32 } from '../../src/bytes.js';
import { block, dataBlock, ioChannel, readServerConference } from '../../src/conference.js';
import {
  attachedUser,
  attachRequest,
  channelData,
  connectInitial,
  erectDomain,
  joinRequest,
  kindOf,
  mcs,
  readChannelData,
} from '../../src/mcs.js';
import { readShareHeader, share, shareControlPdu, shareData, shareDataPdu, shareIdOf } from '../../src/share.js';
import { tpkt } from '../../src/wire.js';
import { connectionRequest } from '../../src/x224.js';
import { nextPdu } from './fake-desktop.js';

export interface ScriptedOptions {
  readonly user?: string;
  readonly channels?: readonly string[];
}

/** A client that says each step by hand, and remembers all that it was told. */
export class ScriptedClient {
  readonly pdus: Buffer[] = [];
  user = 0;
  shareId = 0;
  #reader: FrameReader;

  private constructor(
    readonly stream: Duplex,
    readonly channels: readonly string[],
  ) {
    this.#reader = new FrameReader(stream, 0xffff);
  }

  /** As far as the inner TLS, and the Connect-Initial that follows it. */
  static async open(outer: Duplex, { user = 'vaulted', channels = [] }: ScriptedOptions = {}): Promise<ScriptedClient> {
    // The answer may come while the last byte is still being written.
    const reader = new FrameReader(outer, 1024);
    await write(outer, connectionRequest(3, user));
    const confirm = await nextPdu(reader);
    reader.release();
    if (confirm[11] !== 2) throw new Error(`refused with code ${confirm.readUInt32LE(15)}`);
    const stream = tls.connect({ socket: deferred(outer), rejectUnauthorized: false });
    stream.on('error', () => {});
    await Promise.race([
      once(stream, 'secureConnect'),
      once(stream, 'close').then(() => Promise.reject(new Error('no tls'))),
    ]);
    const client = new ScriptedClient(stream, channels);
    await write(stream, initialPdu(channels));
    return client;
  }

  /** On a stream on which the Connect-Initial is due, as behind RDCleanPath. */
  static async begin(stream: Duplex, channels: readonly string[] = []): Promise<ScriptedClient> {
    const client = new ScriptedClient(stream, channels);
    await write(stream, initialPdu(channels));
    return client;
  }

  async next(): Promise<Buffer> {
    const pdu = await nextPdu(this.#reader);
    this.pdus.push(pdu);
    return pdu;
  }

  /** The sequence of connecting, up to the client's part of finalisation. `flags`: of its info packet; Unicode by default. */
  async connect(flags?: number): Promise<void> {
    const { ioChannel: io, channels } = readServerConference(await this.next());
    await this.send(Buffer.concat([erectDomain, attachRequest]));
    this.user = attachedUser(await this.next());
    for (const channel of [this.user, io, ...channels]) {
      await this.send(joinRequest(this.user, channel));
      await this.next();
    }
    await this.sendOn(io, infoPacket('whoever', 'nothing', flags));
    const demand = await this.until((pdu) => shareType(pdu) === share.demandActive || isError(pdu));
    if (isError(demand)) throw new Error(`error info ${errorOf(demand)}`);
    const { payload } = readChannelData(demand);
    this.shareId = shareIdOf(payload);
    await this.sendOn(io, confirmActive(this.shareId, this.user));
    await this.sendOn(io, shareDataPdu(shareData.fontList, this.sharing, Buffer.alloc(8)));
  }

  get sharing() {
    return { source: this.user, shareId: this.shareId };
  }

  async until(found: (pdu: Buffer) => boolean): Promise<Buffer> {
    for (;;) {
      const pdu = await this.next();
      if (found(pdu)) return pdu;
    }
  }

  picture(): Promise<Buffer> {
    return this.until((pdu) => pdu[0] !== tpkt);
  }

  key(): Promise<void> {
    return this.send(Buffer.from([0x04, 4, 0, 0x1e]));
  }

  send(pdu: Buffer): Promise<void> {
    return write(this.stream, pdu);
  }

  sendOn(channel: number, payload: Buffer): Promise<void> {
    return this.send(channelData(mcs.dataRequest, { user: this.user, channel }, payload));
  }

  /** By the name of a static channel. */
  say(name: string, payload: Buffer): Promise<void> {
    return this.sendOn(ioChannel + 1 + this.channels.indexOf(name), payload);
  }
}

/** Pairs in memory answer within a write, which sockets never do and TLS does not expect. */
function deferred(stream: Duplex): Duplex {
  const wrapped = new Duplex({
    read: () => stream.resume(),
    write: (chunk: Buffer, _encoding, done) => void setImmediate(() => stream.write(chunk, () => done())),
    final: (done) => void stream.end(() => done()),
    destroy: (cause, done) => {
      stream.destroy();
      done(cause);
    },
  });
  stream
    .on('data', (chunk: Buffer) => wrapped.push(chunk) || stream.pause())
    .on('end', () => wrapped.push(null))
    .on('close', () => wrapped.destroy());
  return wrapped.on('error', () => {});
}

export const initialPdu = (channels: readonly string[]): Buffer => {
  const core = Buffer.alloc(212);
  core.writeUInt32LE(0x00080004, 0);
  core.writeUInt16LE(640, 4);
  core.writeUInt16LE(480, 6);
  core.writeUInt16LE(0x0d41, 140);
  const named = channels.map((name) => Buffer.concat([Buffer.from(name.padEnd(8, '\0')), u32(0x80000000)]));
  return connectInitial(
    Buffer.concat([
      dataBlock(block.clientCore, core),
      dataBlock(block.clientSecurity, u32(0), u32(0)),
      dataBlock(block.clientNetwork, u32(channels.length), ...named),
    ]),
  );
};

export function infoPacket(user: string, password: string, flags = 0x10): Buffer {
  const texts = ['', user, password, '', ''].map((text) => Buffer.from(text, 'utf16le'));
  const extra = Buffer.concat([
    u16(2),
    u16(2),
    u16(0),
    u16(2),
    u16(0),
    Buffer.alloc(180),
    u16(28),
    Buffer.alloc(28, 0x5a),
  ]);
  return Buffer.concat([
    u16(0x40),
    u16(0),
    u32(0),
    u32(flags),
    ...texts.map(({ length }) => u16(length)),
    ...texts.flatMap((text) => [text, u16(0)]),
    extra,
  ]);
}

export function confirmActive(shareId: number, user: number): Buffer {
  const set = (type: number, data: Buffer): Buffer => Buffer.concat([u16(type), u16(data.length + 4), data]);
  const order = Buffer.alloc(84, 0xff);
  const sets = Buffer.concat([
    u16(5),
    u16(0),
    set(3, order),
    set(20, u32(1)),
    set(28, u32(1)),
    set(29, u32(1)),
    set(16, Buffer.alloc(48, 1)),
  ]);
  const source = Buffer.from('TEST\0');
  const body = [u32(shareId), u16(0x03ea), u16(source.length), u16(sets.length), source, sets];
  return shareControlPdu(share.confirmActive, user, Buffer.concat(body));
}

function shareType(pdu: Buffer): number | undefined {
  if (pdu[0] !== tpkt || kindOf(pdu) !== mcs.dataIndication) return undefined;
  const { payload } = readChannelData(pdu);
  return payload.readUInt16LE(0) === payload.length ? readShareHeader(payload).type : undefined;
}

export function isError(pdu: Buffer): boolean {
  if (shareType(pdu) !== share.data) return false;
  return readShareHeader(readChannelData(pdu).payload).data?.type === shareData.setErrorInfo;
}

export const errorOf = (pdu: Buffer): number => readChannelData(pdu).payload.readUInt32LE(18);
