import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import type { Socket } from 'node:net';
import ssh2 from 'ssh2';
import { Attack } from './support/attacker.js';
import { WireWriter } from '../src/wire.js';

const identification = Buffer.from('SSH-2.0-x\r\n');

/** `uint32 length | byte padding length | payload | padding`, without encryption. */
function packet(payload: Buffer): Buffer {
  const padding = 8 - ((5 + payload.length) % 8) + ((5 + payload.length) % 8 > 4 ? 8 : 0);
  const head = new WireWriter().uint32(1 + payload.length + padding).byte(padding);
  return head.raw(payload).raw(Buffer.alloc(padding)).end();
}

interface Offer {
  readonly kex?: string;
  readonly host?: string;
  readonly cipher?: string;
  readonly compress?: string;
}

function keyExchangeInit({ kex, host, cipher, compress }: Offer = {}): Buffer {
  const lists = [
    kex ?? 'curve25519-sha256',
    host ?? 'ssh-ed25519',
    ...Array<string>(2).fill(cipher ?? 'aes128-gcm@openssh.com'),
    ...Array<string>(2).fill('hmac-sha2-256'),
    ...Array<string>(2).fill(compress ?? 'none'),
    '',
    '',
  ];
  const writer = new WireWriter().byte(20).raw(randomBytes(16));
  for (const list of lists) writer.string(list);
  return writer.boolean(false).uint32(0).end();
}

const ignore = packet(new WireWriter().byte(2).string('').end());
const strict = packet(keyExchangeInit({ kex: 'curve25519-sha256,kex-strict-c-v00@openssh.com' }));
const point = (bytes: Buffer): Buffer => packet(new WireWriter().byte(30).string(bytes).end());
const behind = (...parts: readonly Buffer[]): Buffer => Buffer.concat([identification, ...parts]);
const length = (bytes: number): Buffer => new WireWriter().uint32(bytes).raw(Buffer.alloc(100)).end();

/** A reset is an end too. */
const closing = (socket: Socket): Promise<void> => new Promise((resolve) => socket.once('close', () => resolve()));

const attacks: readonly { readonly name: string; readonly bytes: Buffer; readonly within?: number }[] = [
  { name: 'random bytes', bytes: randomBytes(65_536) },
  { name: 'an HTTP request', bytes: Buffer.from('GET / HTTP/1.1\r\n\r\n') },
  { name: 'a megabyte without a line end', bytes: Buffer.alloc(1_048_576, 'A') },
  { name: 'lines before the identification', bytes: Buffer.from('hello\r\n'.repeat(5)) },
  { name: 'an identification that is too long', bytes: Buffer.from(`SSH-2.0-${'x'.repeat(300)}\r\n`) },
  { name: 'version 1 of the protocol', bytes: Buffer.from('SSH-1.5-x\r\n') },
  { name: 'a packet of four gigabytes', bytes: behind(length(0xffff_ffff)) },
  { name: 'a packet of no length', bytes: behind(length(0)) },
  { name: 'random packets', bytes: behind(randomBytes(20_000)) },
  { name: 'a truncated offer', bytes: behind(packet(keyExchangeInit().subarray(0, 40))) },
  { name: 'an unknown key exchange', bytes: behind(packet(keyExchangeInit({ kex: 'foo' }))) },
  { name: 'the weakest group', bytes: behind(packet(keyExchangeInit({ kex: 'diffie-hellman-group1-sha1' }))) },
  { name: 'NIST curves', bytes: behind(packet(keyExchangeInit({ kex: 'ecdh-sha2-nistp256' }))) },
  { name: 'group exchange', bytes: behind(packet(keyExchangeInit({ kex: 'diffie-hellman-group-exchange-sha256' }))) },
  { name: 'arcfour', bytes: behind(packet(keyExchangeInit({ cipher: 'arcfour' }))) },
  { name: '3des', bytes: behind(packet(keyExchangeInit({ cipher: '3des-cbc' }))) },
  {
    name: 'ChaCha20, which Terrapin attacks',
    bytes: behind(packet(keyExchangeInit({ cipher: 'chacha20-poly1305@openssh.com' }))),
  },
  { name: 'a host key with SHA-1', bytes: behind(packet(keyExchangeInit({ host: 'ssh-rsa' }))) },
  { name: 'compression before the login', bytes: behind(packet(keyExchangeInit({ compress: 'zlib' }))) },
  { name: 'a message before a strict key exchange', bytes: behind(ignore, strict) },
  { name: 'a message inside of a strict key exchange', bytes: behind(strict, ignore) },
  { name: 'a zero point', bytes: behind(packet(keyExchangeInit()), point(Buffer.alloc(32))) },
  { name: 'a short point', bytes: behind(packet(keyExchangeInit()), point(Buffer.from('abc'))) },
  {
    name: 'a login before the key exchange',
    bytes: behind(packet(Buffer.concat([Buffer.from([50]), Buffer.alloc(40)]))),
  },
  { name: 'new keys at once', bytes: behind(packet(Buffer.from([21]))) },
  { name: 'nothing at all', bytes: Buffer.alloc(0), within: 4_000 },
  { name: 'an identification and no more', bytes: identification, within: 4_000 },
  { name: 'half a packet', bytes: behind(new WireWriter().uint32(34_996).raw(Buffer.alloc(100)).end()), within: 4_000 },
  { name: 'ten thousand messages to be ignored', bytes: behind(...Array<Buffer>(10_000).fill(ignore)), within: 4_000 },
];

describe('somebody who has not logged in', function () {
  this.timeout(30_000);
  let attack: Attack;
  before(async () => (attack = await Attack.start()));
  after(() => attack.stop());

  for (const { name, bytes, within = 1_500 } of attacks)
    it(`is turned away with ${name}`, async () => {
      const socket = attack.connect();
      const started = performance.now();
      socket.resume();
      const closed = closing(socket);
      socket.write(bytes);
      // A server that has ended its half waits for the client's.
      socket.once('end', () => socket.end());
      await closed;
      assert.ok(performance.now() - started < within, `closed after ${performance.now() - started} ms`);
    });

  it('cannot try for ever', async () => {
    const client = new ssh2.Client();
    let attempts = 0;
    const closed = new Promise<void>((resolve) => client.on('close', () => resolve()));
    client.on('error', () => {});
    client.connect({
      host: '127.0.0.1',
      port: attack.victim.port,
      username: 'x',
      authHandler: (_left, _partial, next) => {
        attempts += 1;
        next(attempts % 2 === 0 ? { type: 'none', username: 'x' } : { type: 'password', username: 'x', password: 'y' });
      },
    });
    await closed;
    assert.ok(attempts <= 6, `${attempts} attempts`);
  });

  it('holds no connection longer than the login may take, and keeps nobody else out', async () => {
    const sockets = Array.from({ length: 100 }, () => attack.connect());
    const closed = Promise.all(
      sockets.map((socket) => {
        socket.resume().once('end', () => socket.end());
        return closing(socket);
      }),
    );
    assert.ok((await attack.answers()) < 1_000);
    await closed;
    const { sessions, rss } = await attack.state();
    assert.equal(sessions, 0);
    assert.ok(rss < 400e6, `${Math.round(rss / 1e6)} MB`);
  });
});
