import { isPlainSocket, SpentMemory } from './spent-memory.js';
import type { Transport } from './transport.js';

const plainGcm: ReadonlySet<string | undefined> = new Set(['aes-128-gcm', 'aes-256-gcm']);

/**
 * Gives back at once what a client sent, once it was read: see {@link SpentMemory}
 * for why. ssh2 writes what it decrypts by GCM into memory of its own and keeps
 * nothing of what it was given; other ciphers, and other streams, may.
 */
export function releaseSpentInput({ socket, inside: { _protocol: protocol } }: Transport): void {
  if (!isPlainSocket(socket)) return;
  const spent = new SpentMemory();
  const parse = protocol.parse.bind(protocol);
  protocol.parse = (chunk, from, length) => {
    const before = protocol._decipher?._decipherSSLName;
    parse(chunk, from, length);
    const keepsNothing = plainGcm.has(before) && plainGcm.has(protocol._decipher?._decipherSSLName);
    if (!keepsNothing || socket.listenerCount('data') !== 1) return;
    spent.add(chunk);
    spent.release();
  };
}
