import type { Onward, Opening, ProxyModule } from '@postern/plugin-sdk';

const identification = 'SSH-';

/** `byte 1 | uint32 reason | string description | string language`, in one packet of RFC 4253, section 6. */
export function disconnectPacket(text: string): Buffer {
  const description = Buffer.from(text, 'utf8');
  const payload = Buffer.alloc(1 + 4 + 4 + description.length + 4);
  payload[0] = 1;
  payload.writeUInt32BE(hostNotAllowed, 1);
  payload.writeUInt32BE(description.length, 5);
  description.copy(payload, 9);
  // Before the key exchange the block is 8 bytes; at least four of padding.
  const padding = 8 - ((5 + payload.length) % 8) + ((5 + payload.length) % 8 > 4 ? 8 : 0);
  const packet = Buffer.alloc(5 + payload.length + padding);
  packet.writeUInt32BE(1 + payload.length + padding, 0);
  packet[4] = padding;
  payload.copy(packet, 5);
  return packet;
}

const hostNotAllowed = 1;
const text = 'this is not an SSH server; run psh login, then ssh <login>@<node>.ssh.<cluster>';

/** Recognises an SSH client that came to the public port by itself: it names no node, so it cannot be routed. */
export const recognise: ProxyModule['recognise'] = (head) => {
  const seen = head.subarray(0, identification.length).toString('latin1');
  if (seen === identification) return 'yes';
  return identification.startsWith(seen) ? 'more' : 'no';
};

/** Tells it so in words that it shows, and closes. */
export const open: ProxyModule['open'] = async (opening: Opening): Promise<Onward> => {
  await opening.write(Buffer.concat([Buffer.from('SSH-2.0-Postern\r\n'), disconnectPacket(text)]));
  return { kind: 'closed' };
};
