import type { Onward, Opening, ProxyModule } from '@postern/plugin-sdk';
import { capability } from './capabilities.js';
import { encodeGreeting, isSslRequest } from './handshake.js';
import { greetingFor, usualGreeting } from './learned-greetings.js';
import { encodePacket, errorPayload } from './wire.js';

/** A request for TLS: the first half of a response, and no more. */
const sslRequestBytes = 32;

/**
 * Greets a client on a port of its own, as servers do, and leads it into TLS.
 * What is said here is in clear and known to everybody: it names no server, and
 * its nonce is used for nothing.
 */
async function greet(opening: Opening): Promise<Onward> {
  const offer = { ...usualGreeting, capabilities: (usualGreeting.capabilities | capability.ssl) >>> 0 };
  await opening.write(encodePacket(0, encodeGreeting(greetingFor(offer, 1))));
  const head = await opening.read(4);
  const length = head.readUIntLE(0, 3);
  if (length !== sslRequestBytes || !isSslRequest(await opening.read(length)))
    return refuse(opening, (head[3] ?? 0) + 1);
  return { kind: 'tls' };
}

async function refuse(opening: Opening, sequence: number): Promise<Onward> {
  const message =
    'this port takes encrypted connections only: connect with the certificate that "psh login" writes (--ssl-cert, --ssl-key, --ssl-ca), or with "psh db connect"';
  await opening.write(encodePacket(sequence, errorPayload({ number: 3159, state: '08004', message })));
  return { kind: 'closed' };
}

export const mysqlProxy: ProxyModule = {
  // A client of this protocol says nothing until it is greeted.
  recognise: () => 'no',
  open: async () => ({ kind: 'closed' }),
  greet,
};
