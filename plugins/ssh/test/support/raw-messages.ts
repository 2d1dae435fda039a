import { message, WireWriter } from '../../src/wire.js';

/** What OpenSSH allows at first. */
export const window = 2 * 1024 * 1024;
const packetSize = 32 * 1024;

export interface OpenWishes {
  readonly type?: string;
  readonly window?: number;
  readonly packetSize?: number;
  readonly rest?: Buffer;
}

/** Asks for a channel. */
export function open(id: number, wishes: OpenWishes = {}): Buffer {
  const writer = new WireWriter()
    .byte(message.channelOpen)
    .string(wishes.type ?? 'session')
    .uint32(id);
  return writer
    .uint32(wishes.window ?? window)
    .uint32(wishes.packetSize ?? packetSize)
    .raw(wishes.rest ?? Buffer.alloc(0))
    .end();
}

/** A request on a channel that wants an answer. */
export const request = (channel: number, name: string, rest: Buffer = Buffer.alloc(0)): Buffer =>
  new WireWriter().byte(message.channelRequest).uint32(channel).string(name).boolean(true).raw(rest).end();

export const exec = (channel: number, command: string): Buffer =>
  request(channel, 'exec', new WireWriter().string(command).end());

/** Zeros for a channel. */
export const data = (channel: number, bytes: number): Buffer =>
  new WireWriter().byte(message.channelData).uint32(channel).string(Buffer.alloc(bytes)).end();

/** What follows in a request for a connection. */
export const destination = (port: number): Buffer =>
  new WireWriter().string('127.0.0.1').uint32(port).string('127.0.0.1').uint32(1).end();
