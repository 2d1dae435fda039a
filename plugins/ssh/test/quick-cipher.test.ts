import assert from 'node:assert/strict';
import { createDecipheriv } from 'node:crypto';
import { EventEmitter } from 'node:events';
import { Writable } from 'node:stream';
import { quickenCipher } from '../src/quick-cipher.js';
import type { CipherInternals } from '../src/ssh2-internals.js';
import type { Transport } from '../src/transport.js';

/** What a socket was given, one entry for each system call that it would make. */
class Calls extends Writable {
  readonly calls: Buffer[] = [];

  override _write(data: Buffer, _: string, done: () => void): void {
    this.calls.push(data);
    done();
  }

  override _writev(pieces: readonly { readonly chunk: Buffer }[], done: () => void): void {
    this.calls.push(Buffer.concat(pieces.map(({ chunk }) => chunk)));
    done();
  }
}

const key = Buffer.from('00112233445566778899aabbccddeeff', 'hex');

/** A cipher of ssh2 as it is after a key exchange, quickened. */
function quickened(nonce = Buffer.alloc(12)): { readonly cipher: CipherInternals; readonly calls: readonly Buffer[] } {
  const socket = new Calls();
  const cipher = {
    _encSSLName: 'aes-128-gcm',
    _encKey: key,
    _encIV: nonce,
    _dead: false,
    _onWrite: (data: Buffer) => void socket.write(data),
    outSeqno: 3,
  } as unknown as CipherInternals;
  const connection = new EventEmitter();
  quickenCipher({ connection, socket, inside: { _protocol: { _cipher: cipher } } } as unknown as Transport);
  connection.emit('handshake');
  return { cipher, calls: socket.calls };
}

/** The payload of a packet as a client reads it (RFC 5647, section 7). Throws for a wrong tag. */
function read(packet: Buffer, nonce: Buffer): Buffer {
  const decipher = createDecipheriv('aes-128-gcm', key, nonce);
  decipher.setAAD(packet.subarray(0, 4));
  decipher.setAuthTag(packet.subarray(-16));
  const plain = Buffer.concat([decipher.update(packet.subarray(4, -16)), decipher.final()]);
  assert.equal(packet.readUInt32BE(0), plain.length);
  assert.equal(plain.length % 16, 0);
  const padding = plain[0] ?? 0;
  assert.ok(padding >= 4 && padding <= 19, `${padding} bytes of padding`);
  return plain.subarray(1, plain.length - padding);
}

function send(cipher: CipherInternals, payload: Buffer): void {
  const packet = cipher.allocPacket(payload.length);
  packet.set(payload, 5);
  cipher.encrypt(packet);
}

const sizes = [...Array(70).keys(), 2000, 2026, 2027, 2028, 2043, 2044, 4096, 32_768, 32_777, 32_868, 32_900, 34_000];

describe('the quick cipher', () => {
  it('makes packets that a client can read, of every size, each with a nonce of its own', () => {
    const { cipher, calls } = quickened();
    const payloads = sizes.map((size) => Buffer.alloc(size, size % 251));
    for (const payload of payloads) send(cipher, payload);
    const nonce = Buffer.alloc(12);
    assert.equal(calls.length, payloads.length, 'each packet is one system call');
    payloads.forEach((payload, index) => {
      nonce.writeUInt32BE(index, 8);
      assert.deepEqual(read(calls[index] ?? Buffer.alloc(0), nonce), payload);
    });
    assert.equal(cipher.outSeqno, 3 + payloads.length);
  });

  it('carries when it counts the nonce up, and leaves its fixed part alone', () => {
    const { cipher, calls } = quickened(Buffer.from('aabbccdd00000000ffffffff', 'hex'));
    send(cipher, Buffer.from('before'));
    send(cipher, Buffer.from('after'));
    const at = (nonce: string, index: number): string =>
      read(calls[index] ?? Buffer.alloc(0), Buffer.from(nonce, 'hex')).toString();
    assert.equal(at('aabbccdd00000000ffffffff', 0), 'before');
    assert.equal(at('aabbccdd0000000100000000', 1), 'after');
  });

  it('uses the memory of large packets again, and no padding twice', () => {
    const { cipher, calls } = quickened();
    const first = cipher.allocPacket(32_768);
    assert.equal(first.buffer, cipher.allocPacket(30_000).buffer);
    assert.notEqual(cipher.allocPacket(1000).buffer, first.buffer);
    const paddings = new Set([...Array(200).keys()].map(() => cipher.allocPacket(0).subarray(5).toString('hex')));
    assert.equal(paddings.size, 200);
    assert.equal(calls.length, 0);
  });

  it('says nothing once the connection is over', () => {
    const { cipher, calls } = quickened();
    Object.assign(cipher, { _dead: true });
    send(cipher, Buffer.from('late'));
    assert.equal(calls.length, 0);
  });
});
