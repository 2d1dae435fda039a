import { createCipheriv, randomFillSync } from 'node:crypto';
import type { Duplex } from 'node:stream';
import { isPlainSocket, SpentMemory } from './spent-memory.js';
import type { CipherInternals } from './ssh2-internals.js';
import type { Transport } from './transport.js';

const blockSize = 16;
const lengthBytes = 4;
const minimumPadding = 4;
/** A packet with as much data as a channel may send at once, and what is around the data. */
const scratchBytes = 32 * 1024 + 128;
/** Smaller packets come from Node's own pool of memory. */
const pooledBytes = 2048;

type GcmCipher = CipherInternals & Required<Pick<CipherInternals, '_encSSLName' | '_encKey' | '_encIV'>>;

/**
 * Makes the cipher of each key exchange quicker, from the first message after
 * the exchange. ssh2 writes the length, the text and the tag of a packet one by
 * one, which are three system calls and three segments, takes fresh memory for
 * every packet, which makes V8 collect all of its garbage again and again, and
 * asks OpenSSL for some bytes of padding each time. What is sent is the same.
 * Does nothing where ssh2 has its native part, which has none of these faults.
 */
export function quickenCipher(transport: Transport): void {
  const protocol = transport.inside._protocol;
  const memory = new PacketMemory();
  transport.connection.on('handshake', () => {
    if (!isPlainGcm(protocol._cipher)) return;
    quicken(protocol._cipher, transport.socket);
    // What is made during a key exchange waits for its end, while other packets are made.
    protocol._cipher.allocPacket = (length) => memory.packet(length, protocol._kexinit !== undefined);
  });
}

function isPlainGcm(cipher: CipherInternals): cipher is GcmCipher {
  const known = cipher._encSSLName === 'aes-128-gcm' || cipher._encSSLName === 'aes-256-gcm';
  return known && cipher._encKey !== undefined && cipher._encIV?.length === 12 && cipher.outSeqno !== undefined;
}

/** RFC 5647, section 7: the length is sent in the clear and authenticated, and the nonce is counted up. */
function quicken(cipher: GcmCipher, socket: Duplex): void {
  const spent = isPlainSocket(socket) ? new SpentMemory() : undefined;
  cipher.encrypt = (packet) => {
    if (cipher._dead) return;
    // The operating system has all that was written, each callback included: nobody looks at it again.
    if (socket.writableLength === 0) spent?.release();
    const gcm = createCipheriv(cipher._encSSLName, cipher._encKey, cipher._encIV);
    // The packet's memory is used again for the next one, and the socket may keep this for a while.
    const length = Buffer.allocUnsafe(lengthBytes);
    packet.copy(length, 0, 0, lengthBytes);
    gcm.setAAD(length);
    const text = gcm.update(packet.subarray(lengthBytes));
    gcm.final();
    socket.cork();
    cipher._onWrite(length);
    cipher._onWrite(text);
    cipher._onWrite(gcm.getAuthTag());
    socket.uncork();
    spent?.add(text);
    countUp(cipher._encIV);
    cipher.outSeqno = (cipher.outSeqno + 1) >>> 0;
  };
}

/** Increments the last eight bytes, which are a number. */
function countUp(nonce: Buffer): void {
  for (let at = 11; at >= 4; at -= 1) {
    const next = ((nonce[at] ?? 0) + 1) & 0xff;
    nonce[at] = next;
    if (next !== 0) return;
  }
}

/** One connection's memory for the packet that is being made; it is encrypted before the next one is begun. */
class PacketMemory {
  #scratch: Buffer | undefined;
  readonly #random = Buffer.allocUnsafe(512);
  #randomAt = 512;

  /**
   * `uint32 length | byte padding length | payload | padding`, with room for the
   * payload (RFC 4253, section 6). The next packet may have the same memory where
   * this one is not kept.
   */
  packet(payloadLength: number, kept: boolean): Buffer {
    const rest = (1 + payloadLength) % blockSize;
    const missing = blockSize - rest;
    const padding = missing < minimumPadding ? missing + blockSize : missing;
    const packet = this.#take(lengthBytes + 1 + payloadLength + padding, kept);
    packet.writeUInt32BE(packet.length - lengthBytes, 0);
    packet[lengthBytes] = padding;
    this.#fill(packet, packet.length - padding);
    return packet;
  }

  #take(bytes: number, kept: boolean): Buffer {
    if (kept || bytes <= pooledBytes || bytes > scratchBytes) return Buffer.allocUnsafe(bytes);
    this.#scratch ??= Buffer.allocUnsafeSlow(scratchBytes);
    return this.#scratch.subarray(0, bytes);
  }

  #fill(packet: Buffer, from: number): void {
    const bytes = packet.length - from;
    if (this.#randomAt + bytes > this.#random.length) {
      randomFillSync(this.#random);
      this.#randomAt = 0;
    }
    this.#random.copy(packet, from, this.#randomAt, this.#randomAt + bytes);
    this.#randomAt += bytes;
  }
}
