import assert from 'node:assert/strict';
import { fuzzedFrames } from './support/frames.js';
import { FrameTracker, acceptKey, closeFrame } from '../src/wire.js';
import { WebSocket } from 'ws';
import { Application } from './support/application.js';
import { marks, open, requests, say, tell } from './support/stand.js';

const key = 'dGhlIHNhbXBsZSBub25jZQ==';
const handshake = (path: string, more = ''): string =>
  `GET ${path} HTTP/1.1\r\nHost: x\r\nConnection: keep-alive, Upgrade\r\nUpgrade: websocket\r\n` +
  `Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: ${key}\r\n${more}\r\n`;
/** The text frame `hi`, masked with zeros, and what a server sends back for it. */
const hi = '\x81\x82\0\0\0\0hi';
const hiBack = /\x81\x02hi/;

describe('a WebSocket', () => {
  let application: Application;
  before(async () => void (application = await Application.start()));
  after(() => application[Symbol.asyncDispose]());
  beforeEach(() => void (application.seen.length = 0));
  afterEach(() => void (application.lie = undefined));

  it('is opened, echoes, is recorded, and closed', async () => {
    const held = await open(application.spec);
    held.client.write(handshake('/echo?token=x', 'Origin: https://x\r\nX-Remote-User: root\r\n'), 'latin1');
    await held.until(/^HTTP\/1\.1 101 Switching Protocols\r\n[^]*Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK\+xOo=/i);
    held.client.write(hi, 'latin1');
    await held.until(hiBack);
    const outcome = await held.leave();
    assert.equal(outcome.kind, 'ended');
    assert.equal(requests(held.host)[0]?.['upgrade'], 'websocket');
    assert.equal(application.seen[0]?.headers['x-remote-user'], undefined);
    assert.equal(application.seen[0]?.headers['postern-user'], 'alice');
    assert.equal(marks(held.host, 'response')[0]?.['status'], 101);
  });

  it('carries a message that came with its handshake', async () => {
    const held = await open(application.spec);
    held.client.write(handshake('/echo') + hi, 'latin1');
    await held.until(hiBack);
    await held.leave();
  });

  it('follows requests on the same connection', async () => {
    const held = await open(application.spec);
    held.client.write('GET /first HTTP/1.1\r\nHost: x\r\n\r\n' + handshake('/echo') + hi, 'latin1');
    await held.until(/"url":"\/first"[^]*101 Switching[^]*\x81\x02hi/);
    await held.leave();
  });

  it('is understood the same at whatever byte its handshake is split', async () => {
    const text = handshake('/echo') + hi;
    await Promise.all(
      Array.from({ length: text.length - 1 }, async (_, at) => {
        const held = await open(application.spec);
        held.client.write(text.slice(0, at + 1), 'latin1');
        await new Promise((resolve) => setTimeout(resolve, 5));
        held.client.write(text.slice(at + 1), 'latin1');
        await held.until(hiBack);
        await held.leave();
      }),
    );
  });

  it('is denied like any request', async () => {
    const { text } = await tell(application.spec, [handshake('/vault')], {
      allow: { methods: ['GET'], paths: ['/echo'] },
    });
    assert.match(text, /^HTTP\/1\.1 403 Forbidden\r\n/);
    assert.deepEqual(application.seen, []);
  });

  it('is told what the application answers that will have none', async () => {
    const { text } = await tell(application.spec, [handshake('/refused')]);
    assert.match(text, /^HTTP\/1\.1 401 Unauthorized\r\n[^]*Connection: close\r\n\r\n4\r\nnope\r\n0\r\n\r\n$/);
  });

  it('is cut with code 1008 and the reason', async () => {
    const held = await open(application.spec);
    held.client.write(handshake('/echo') + hi, 'latin1');
    await held.until(hiBack);
    held.host.cut({ code: 'locked', message: 'on leave' });
    await held.session.done;
    await held.until(/\x88\x0a\x03\xf0on leave$/);
    held.client.destroy();
  });

  it('is cut without a word in the middle of a frame', async () => {
    application.lie = (socket) =>
      socket.write(
        Buffer.from(
          `HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: ${acceptKey(key)}\r\n\r\n\x81\x7e\x01\0half`,
          'latin1',
        ),
      );
    const held = await open(application.spec);
    held.client.write(handshake('/echo'));
    await held.until(/half$/);
    held.host.cut({ code: 'locked', message: 'on leave' });
    await held.session.done;
    assert.match(held.got.text, /half$/);
    held.client.destroy();
  });

  const lies: readonly (readonly [string, string])[] = [
    [
      'another protocol',
      `HTTP/1.1 101 X\r\nConnection: Upgrade\r\nUpgrade: h2c\r\nSec-WebSocket-Accept: ${acceptKey(key)}\r\n\r\n`,
    ],
    [
      'a wrong key',
      'HTTP/1.1 101 X\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: AAAA\r\n\r\n',
    ],
    ['nonsense', 'NOPE\r\n\r\n'],
    ['nothing', ''],
  ];
  for (const [name, lie] of lies)
    it(`attack: an application that agrees with ${name}`, async () => {
      application.lie = (socket) => socket.end(lie);
      const { text } = await tell(application.spec, [handshake('/echo')]);
      assert.match(text, /^HTTP\/1\.1 502 Bad Gateway\r\n/);
    });

  const improper: readonly (readonly [string, string])[] = [
    ['POST', handshake('/x').replace('GET', 'POST')],
    ['another version', handshake('/x').replace('Version: 13', 'Version: 8')],
    ['a short key', handshake('/x').replace(key, 'AAAA')],
    ['two keys', handshake('/x', `Sec-WebSocket-Key: ${key}\r\n`)],
  ];
  for (const [name, request] of improper)
    it(`attack: a handshake with ${name} is an ordinary request`, async () => {
      const { text } = await say(application.spec, [request]);
      assert.match(text, /^HTTP\/1\.1 200 OK\r\n/);
      assert.equal(application.seen[0]?.headers.upgrade, undefined);
    });

  it('attack: a handshake with a body, behind which a request hides', async () => {
    const inner = 'GET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n';
    const request = handshake('/x', `Content-Length: ${inner.length}\r\n`) + inner;
    await say(application.spec, [request]);
    assert.deepEqual(
      application.seen.map(({ url }) => url),
      ['/x'],
    );
  });

  it('serves a real client, compressed, with 2 MB in one message', async () => {
    const held = await open(application.spec);
    const client = new WebSocket('ws://application/echo', { createConnection: () => held.client as never });
    held.client.removeAllListeners('data');
    await new Promise((resolve, reject) => client.once('open', resolve).once('error', reject));
    const message = Buffer.alloc(2_000_000, 'abc');
    const echoed = new Promise<Buffer>((resolve) => client.once('message', (data) => resolve(data as Buffer)));
    client.send(message);
    assert.ok((await echoed).equals(message));
    const closed = new Promise((resolve) => client.once('close', resolve));
    client.close(1000);
    assert.equal(await closed, 1000);
    await held.session.done;
  });
});

describe('frames', () => {
  it('are followed at every split', () => {
    for (const { bytes, ends } of fuzzedFrames(40))
      for (const size of [1, 2, 3, 7, 64, bytes.length]) {
        const tracker = new FrameTracker();
        for (let at = 0; at < bytes.length; at += size) {
          tracker.take(bytes.subarray(at, at + size));
          assert.equal(tracker.between, ends.has(Math.min(bytes.length, at + size)));
        }
      }
  });

  it('attack: a length that cannot be counted', () => {
    const tracker = new FrameTracker();
    tracker.take(Buffer.from('827fffffffffffffffff', 'hex'));
    assert.equal(tracker.between, false);
    tracker.take(Buffer.alloc(100));
    assert.equal(tracker.between, false);
  });

  it('close with whole characters', () => {
    const frame = closeFrame(1008, 'ä'.repeat(100));
    assert.ok(frame.length <= 127);
    assert.equal(frame[1], frame.length - 2);
    assert.ok(!frame.toString('utf8', 4).includes('\ufffd'));
  });
});
