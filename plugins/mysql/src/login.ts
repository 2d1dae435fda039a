import type { Duplex } from 'node:stream';
import { FrameReader, PosternError, write } from '@postern/plugin-sdk';
import { authenticate, type Exchange, type Secret } from './authentication.js';
import { encodeResponse, type Greeting, type HandshakeResponse } from './handshake.js';
import { UpstreamRefusal } from './upstream-refusal.js';
import { encodePacket, parseError, PayloadReader, readPacket, type Packet } from './wire.js';

/** The longest packet of a login. */
export const maxLoginBytes = 65_536;

/** How many exchanges a login may take. */
const maxRounds = 8;

/** A nonce is followed by a NUL, which is not part of it; MariaDB's ed25519 has 32 bytes and none. */
const nonceIn = (method: string, data: Buffer): Buffer => (method === 'client_ed25519' ? data : data.subarray(0, 20));

export interface Welcome {
  /** The payload of the server's OK. */
  readonly ok: Buffer;
  /** The method that the server accepted. */
  readonly method: string;
  /** What came behind it. */
  readonly rest: Buffer;
}

/**
 * Answers a greeting, as the given user and with the client's other settings,
 * and goes through the server's method of authentication. Rejects with
 * `upstream_auth`, or an UpstreamRefusal that has the server's words.
 */
export async function logIn(stream: Duplex, { greeting, response, secret, sequence }: LoginOptions): Promise<Welcome> {
  const exchange = authenticate(greeting.method, secret);
  const proof = exchange(greeting.nonce) ?? Buffer.alloc(0);
  await write(stream, encodePacket(sequence, encodeResponse({ ...response, method: greeting.method, proof })));
  return finishLogin(stream, { method: greeting.method, exchange }, secret);
}

export interface LoginOptions {
  readonly greeting: Greeting;
  readonly response: Omit<HandshakeResponse, 'proof' | 'method'>;
  readonly secret: Secret;
  /** Of the response. */
  readonly sequence: number;
}

/** What follows a response, or a request to change the user: more exchanges, and then yes or no. */
export async function finishLogin(
  stream: Duplex,
  begun: { readonly method: string; readonly exchange: Exchange },
  secret: Secret,
): Promise<Welcome> {
  let { method, exchange } = begun;
  const reader = new FrameReader(stream, maxLoginBytes);
  for (let round = 0; round < maxRounds; round++) {
    const { payload, sequence } = await readPacket(reader);
    const kind = payload[0];
    if (kind === 0x00) return { ok: payload, method, rest: Buffer.from(reader.release()) };
    if (kind === 0xff) throw new UpstreamRefusal(parseError(payload));
    let data: Buffer | undefined;
    if (kind === 0xfe) ({ method, exchange, data } = switched(payload, secret));
    else if (kind === 0x01) data = exchange(payload.subarray(1));
    else throw new PosternError('protocol_violation', `a packet of kind ${kind ?? 'none'} in a login`);
    if (data) await write(stream, encodePacket(sequence + 1, data));
  }
  throw new PosternError('protocol_violation', 'the login takes too many exchanges');
}

/** AuthSwitchRequest: another method, and a nonce for it. */
function switched(payload: Buffer, secret: Secret) {
  const reader = new PayloadReader(payload.subarray(1));
  const method = reader.terminated().toString('latin1');
  const exchange = authenticate(method, secret);
  return { method, exchange, data: exchange(nonceIn(method, reader.bytes(reader.left))) };
}

/** Reads a server's greeting. A server that turns everybody away says why instead. */
export async function readGreeting(reader: FrameReader): Promise<Packet> {
  const packet = await readPacket(reader);
  if (packet.payload[0] === 0xff) throw new UpstreamRefusal(parseError(packet.payload));
  return packet;
}
