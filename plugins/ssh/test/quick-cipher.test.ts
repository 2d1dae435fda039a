import assert from 'node:assert/strict';
import { createDecipheriv } from 'node:crypto';
import { EventEmitter, once } from 'node:events';
import { connect, createServer, type Socket } from 'node:net';
import { PassThrough, Writable } from 'node:stream';
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

interface Quickened {
  readonly cipher: CipherInternals;
  readonly calls: readonly Buffer[];
  readonly protocol: { readonly _cipher: CipherInternals; _kexinit?: Buffer };
}

/** A cipher of ssh2 as it is after a key exchange, quickened. */
function quickened(nonce = Buffer.alloc(12)): Quickened {
  const socket = new Calls();
  const { cipher, protocol } = quickenedFor(socket, (data) => void socket.write(data), nonce);
  return { cipher, protocol, calls: socket.calls };
}

function quickenedFor(
  socket: Writable,
  write: (data: Buffer) => void,
  nonce = Buffer.alloc(12),
): Omit<Quickened, 'calls'> {
  const cipher = {
    _encSSLName: 'aes-128-gcm',
    _encKey: key,
    _encIV: nonce,
    _dead: false,
    _onWrite: write,
    outSeqno: 3,
  } as unknown as CipherInternals;
  const connection = new EventEmitter();
  const protocol: Quickened['protocol'] = { _cipher: cipher };
  quickenCipher({ connection, socket, inside: { _protocol: protocol } } as unknown as Transport);
  connection.emit('handshake');
  return { cipher, protocol };
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

  it('leaves a packet that waits for the end of a key exchange its own memory', () => {
    const { cipher, protocol } = quickened();
    protocol._kexinit = Buffer.alloc(1);
    assert.notEqual(cipher.allocPacket(32_768).buffer, cipher.allocPacket(32_768).buffer);
  });

  it('gives memory back that a socket has written, and no earlier', async () => {
    const server = createServer({ pauseOnConnect: true }).listen(0, '127.0.0.1');
    await once(server, 'listening');
    const socket = connect((server.address() as { port: number }).port, '127.0.0.1');
    const [[client]] = (await Promise.all([once(server, 'connection'), once(socket, 'connect')])) as [
      [Socket],
      unknown,
    ];
    const given: Buffer[] = [];
    const { cipher } = quickenedFor(socket, (data) => {
      if (data.length > 30_000) given.push(data);
      socket.write(data);
    });
    const early: number[] = [];
    // The client does not read: what the operating system does not take waits here.
    while (socket.writableLength < 1_000_000) {
      const waits = socket.writableLength > 0;
      send(cipher, Buffer.alloc(32_768));
      if (waits) early.push(given.at(-2)?.length ?? -1);
    }
    const released = given.filter(({ length }) => length === 0).length;
    assert.ok(released > 0, 'none of the first ones');
    assert.ok(early.length > 20 && early.every((length) => length > 30_000), 'none that waits');
    const nonce = Buffer.alloc(12);
    const received: Buffer[] = [];
    client.on('data', (data: Buffer) => received.push(data)).resume();
    if (socket.writableNeedDrain) await once(socket, 'drain');
    socket.end();
    await once(client, 'end');
    client.destroy();
    server.close();
    const all = Buffer.concat(received);
    const packetBytes = all.length / given.length;
    given.forEach((_, index) => {
      nonce.writeUInt32BE(index, 8);
      const packet = all.subarray(index * packetBytes, (index + 1) * packetBytes);
      assert.ok(read(packet, nonce).equals(Buffer.alloc(32_768)));
    });
  });

  it('leaves what it gave to another kind of stream, which may hand it on', () => {
    const stream = new PassThrough({ highWaterMark: 1_000_000 });
    const { cipher } = quickenedFor(stream, (data) => void stream.write(data));
    for (let count = 0; count < 3; count += 1) {
      send(cipher, Buffer.alloc(32_768, count));
      const packet = stream.read() as Buffer;
      send(cipher, Buffer.alloc(0));
      stream.read();
      const nonce = Buffer.alloc(12);
      nonce.writeUInt32BE(2 * count, 8);
      assert.ok(read(packet, nonce).equals(Buffer.alloc(32_768, count)));
    }
  });

  it('says nothing once the connection is over', () => {
    const { cipher, calls } = quickened();
    Object.assign(cipher, { _dead: true });
    send(cipher, Buffer.from('late'));
    assert.equal(calls.length, 0);
  });
});
