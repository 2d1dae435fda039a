import { createHash, X509Certificate } from 'node:crypto';
import { once } from 'node:events';
import type { Duplex } from 'node:stream';
import tls from 'node:tls';
import { FrameReader, write } from '@postern/plugin-sdk';
import { loopback, type Loopback } from '@postern/plugin-sdk/testing';
import { bitmapUpdate } from '../../src/bitmap-fixer.js';
import { u16, u32 } from '../../src/bytes.js';
import { hasSecurityFlag, readClientInfo, securityFlag } from '../../src/client-info.js';
import { ioChannel, readClientConference, serverConference } from '../../src/conference.js';
import { keyBinding, readTsRequest, writeTsRequest } from '../../src/credssp.js';
import { elementLength, fieldsOf, octetsIn } from '../../src/der.js';
import { fastPathPdu } from '../../src/fast-path.js';
import { innerCertificate, subjectPublicKey } from '../../src/inner-certificate.js';
import { attachConfirm, channelData, joinConfirm, joinedChannel, kindOf, mcs, readChannelData } from '../../src/mcs.js';
import { NtlmServer } from './ntlm-server.js';
import { readShareHeader, share, shareControlPdu, shareData, shareDataPdu, validLicence } from '../../src/share.js';
import { pduLength, tpkt } from '../../src/wire.js';
import { readConnectionRequest } from '../../src/x224.js';

export const desktopPassword = 'Vault-Pa55!';
const user = 1007;
const shareId = 0x103ea;

export interface FakeDesktopOptions {
  readonly nla?: boolean;
  /** Said once the client has confirmed, instead of one grey rectangle. */
  readonly pictures?: readonly Buffer[];
  /** Changes what is sent, to lie. */
  readonly lie?: (pdu: Buffer) => Buffer;
  /** Called for each slow-path payload in a static channel. */
  readonly onChannel?: (connection: FakeConnection, channel: string, payload: Buffer) => void;
  /** Called once the session is active. */
  readonly onActive?: (connection: FakeConnection) => void;
}

/** What one client did at the fake desktop. */
export interface FakeConnection {
  readonly channels: readonly string[];
  credentials: { user: string; password: string; domain: string } | undefined;
  readonly received: Buffer[];
  active: boolean;
  send(pdu: Buffer): void;
  sendOn(channel: string, payload: Buffer): void;
}

/** A desktop that speaks just enough RDP for a whole session: TLS or NLA, channels, input, bitmaps. */
export class FakeDesktop implements AsyncDisposable {
  readonly connections: FakeConnection[] = [];
  readonly certificate = innerCertificate(new Date());

  private constructor(private readonly options: FakeDesktopOptions) {}
  #server: Loopback | undefined;

  static async start(options: FakeDesktopOptions = {}): Promise<FakeDesktop> {
    const desktop = new FakeDesktop(options);
    desktop.#server = await loopback((socket) => void desktop.#serve(socket).catch(() => socket.destroy()));
    return desktop;
  }

  get port(): number {
    return this.#server?.port ?? 0;
  }

  get fingerprint(): string {
    return createHash('sha256').update(this.certificate.der).digest('hex');
  }

  /** A document's `spec`. */
  spec(more: object = {}): Record<string, unknown> {
    return {
      host: '127.0.0.1',
      port: this.port,
      tls: { mode: 'fingerprint', fingerprints: [this.fingerprint] },
      accounts: [{ login: 'vaulted', domain: 'CORP', secret: 'desktop' }],
      ...more,
    };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#server?.close();
  }

  async #serve(socket: Duplex): Promise<void> {
    const reader = new FrameReader(socket, 0xffff);
    const request = readConnectionRequest(await nextPdu(reader));
    reader.release();
    const selected = this.options.nla ? 2 : 1;
    if ((request.protocols & selected) === 0) return void socket.end(answer(3, 5));
    await write(socket, answer(2, selected));
    const { key, certificate: cert } = this.certificate;
    const line = new tls.TLSSocket(socket, { isServer: true, secureContext: tls.createSecureContext({ key, cert }) });
    // The listener lets sockets be half-open, in which nothing is left to say here.
    line.on('error', () => {}).on('end', () => line.destroy());
    await Promise.race([once(line, 'secure'), once(line, 'close').then(() => Promise.reject(new Error('no tls')))]);
    const frames = new FrameReader(line, 0xffff);
    const credentials = this.options.nla ? await this.#nla(line, frames) : undefined;
    await this.#session(line, frames, credentials);
  }

  async #nla(line: Duplex, frames: FrameReader) {
    const publicKey = subjectPublicKey(new X509Certificate(this.certificate.der));
    const ntlm = new NtlmServer(desktopPassword);
    const first = readTsRequest(await nextElement(frames));
    await write(line, writeTsRequest({ version: 6, token: ntlm.challenge(first.token ?? Buffer.alloc(0)) }));
    const second = readTsRequest(await nextElement(frames));
    const { token = Buffer.alloc(0), pubKeyAuth = Buffer.alloc(0), nonce = Buffer.alloc(0) } = second;
    if (!ntlm.verify(token)) {
      await write(line, writeTsRequest({ version: 6, errorCode: 0xc000006d }));
      throw new Error('wrong password');
    }
    if (!ntlm.keys.unseal(pubKeyAuth).equals(keyBinding('Client-To-Server', nonce, publicKey)))
      throw new Error('binding');
    const proof = ntlm.keys.seal(keyBinding('Server-To-Client', nonce, publicKey));
    await write(line, writeTsRequest({ version: 6, pubKeyAuth: proof }));
    const { authInfo = Buffer.alloc(0) } = readTsRequest(await nextElement(frames));
    const outer = fieldsOf(ntlm.keys.unseal(authInfo));
    const inner = fieldsOf(octetsIn(outer.get(1) ?? { tag: 0, body: Buffer.alloc(0), length: 0 }));
    const text = (at: number) => Buffer.from(inner.get(at)?.body ?? []).toString('utf16le');
    return { domain: text(0), user: text(1), password: text(2) };
  }

  async #session(line: Duplex, frames: FrameReader, nla: FakeConnection['credentials']): Promise<void> {
    const initial = await nextPdu(frames);
    const names = readClientConference(initial).channels.map(({ name }) => name);
    const send = (pdu: Buffer): void => void line.write(this.options.lie?.(pdu) ?? pdu);
    const connection: FakeConnection = {
      channels: names,
      credentials: nla,
      received: [],
      active: false,
      send,
      sendOn: (name, payload) => {
        const channel = ioChannel + 1 + names.indexOf(name);
        send(channelData(mcs.dataIndication, { user, channel }, payload));
      },
    };
    this.connections.push(connection);
    send(serverConference(1, names.length));
    for (;;) {
      const pdu = await nextPdu(frames);
      connection.received.push(pdu);
      this.#answer(connection, pdu);
    }
  }

  #answer(connection: FakeConnection, pdu: Buffer): void {
    if (pdu[0] !== tpkt) return connection.active ? connection.send(greyPicture) : undefined;
    const kind = kindOf(pdu);
    if (kind === mcs.attachRequest) return connection.send(attachConfirm(user));
    if (kind === mcs.joinRequest) return connection.send(joinConfirm(user, joinedChannel(pdu).channel));
    if (kind === mcs.dataRequest) this.#data(connection, pdu);
  }

  #data(connection: FakeConnection, pdu: Buffer): void {
    const { channel, payload } = readChannelData(pdu);
    const name = connection.channels[channel - ioChannel - 1];
    if (name !== undefined) return this.options.onChannel?.(connection, name, payload);
    if (!connection.active && hasSecurityFlag(payload, securityFlag.clientInfo) && payload.length > 100)
      return this.#licence(connection, payload);
    const { type, data } = readShareHeader(payload);
    if (type === share.confirmActive) connection.active = true;
    if (data?.type === shareData.fontList) this.#activate(connection);
  }

  #licence(connection: FakeConnection, payload: Buffer): void {
    connection.credentials ??= passwordIn(payload);
    const to = { user, channel: ioChannel };
    connection.send(channelData(mcs.dataIndication, to, validLicence));
    connection.send(channelData(mcs.dataIndication, to, demandActive(640, 480)));
  }

  #activate(connection: FakeConnection): void {
    const to = { user, channel: ioChannel };
    const share = { source: user, shareId };
    const say = (type: number, body: Buffer) =>
      connection.send(channelData(mcs.dataIndication, to, shareDataPdu(type, share, body)));
    say(shareData.synchronize, Buffer.concat([u16(1), u16(user)]));
    say(shareData.control, Buffer.concat([u16(4), u16(0), u32(0)]));
    say(shareData.control, Buffer.concat([u16(2), u16(user), u32(0x03ea)]));
    say(shareData.fontMap, Buffer.concat([u16(0), u16(0), u16(3), u16(4)]));
    say(shareData.saveSessionInfo, Buffer.concat([u32(3), Buffer.from('auto-reconnect cookie of the session')]));
    for (const picture of this.options.pictures ?? [greyPicture]) connection.send(picture);
    this.options.onActive?.(connection);
  }
}

/** A Demand Active with a bitmap capability and nothing else. */
export function demandActive(width: number, height: number): Buffer {
  const sizes = [32, 1, 1, 1, width, height, 0, 1, 1].map(u16);
  const bitmap = Buffer.concat([u16(2), u16(28), ...sizes, Buffer.alloc(6)]);
  const channels = Buffer.concat([u16(20), u16(8), u32(1)]);
  const sets = Buffer.concat([u16(2), u16(0), bitmap, channels]);
  const source = Buffer.from('RDP\0');
  const body = [u32(shareId), u16(source.length), u16(sets.length), source, sets, u32(0)];
  return shareControlPdu(share.demandActive, user, Buffer.concat(body));
}

/** A rectangle in one colour, `0xRRGGBB`. */
export function picture(left: number, top: number, size: number, colour: number): Buffer {
  const bytes = Buffer.alloc(size * size * 4);
  for (let at = 0; at < bytes.length; at += 4) bytes.writeUInt32LE(colour, at);
  const place = { left, top, right: left + size - 1, bottom: top + size - 1, width: size, height: size };
  const data = bitmapUpdate([{ ...place, bitsPerPixel: 32, flags: 0, bytes }]);
  return fastPathPdu([{ code: 1, fragmentation: 0, data }]);
}
export const greyPicture = picture(16, 16, 32, 0x808182);

function passwordIn(payload: Buffer): FakeConnection['credentials'] {
  const lengths = [12, 14, 16].map((at) => payload.readUInt16LE(at));
  let at = 22;
  const texts = lengths.map((length) => {
    const text = payload.toString('utf16le', at, at + length);
    at += length + 2;
    return text;
  });
  assertUnicode(payload);
  const [domain = '', name = '', password = ''] = texts;
  return { domain, user: name, password };
}

function assertUnicode(payload: Buffer): void {
  if ((readClientInfo(payload).flags & 0x18) !== 0x18) throw new Error('no unicode, or no automatic logon');
}

function answer(type: number, value: number): Buffer {
  const unit = Buffer.from('030000130ed000001234000000080000000000', 'hex');
  unit[11] = type;
  unit.writeUInt32LE(value, 15);
  return unit;
}

export async function nextPdu(reader: FrameReader): Promise<Buffer> {
  let head = Buffer.from(await reader.bytes(2));
  let length: number | undefined;
  while ((length = pduLength(head)) === undefined) head = Buffer.concat([head, await reader.bytes(1)]);
  return Buffer.concat([head, await reader.bytes(length - head.length)]);
}

async function nextElement(reader: FrameReader): Promise<Buffer> {
  let head = Buffer.from(await reader.bytes(2));
  let length: number | undefined;
  while ((length = elementLength(head, 0xffff)) === undefined) head = Buffer.concat([head, await reader.bytes(1)]);
  return Buffer.concat([head, await reader.bytes(length - head.length)]);
}
