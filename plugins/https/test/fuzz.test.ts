import assert from 'node:assert/strict';
import { BodyTracker, HeadCollector, readResponseHead, responseFraming } from '@postern/plugin-sdk/http1';
import { ownHeader } from '../src/own-header.js';
import { acceptKey } from '../src/wire.js';
import { Application } from './support/application.js';
import { mutated } from './support/mutated.js';
import { eventually, open, requests, say } from './support/stand.js';

const seconds = process.env['POSTERN_TEST_FULL'] === '1' ? 45 : 2;
const key = 'dGhlIHNhbXBsZSBub25jZQ==';
const identity = 'X-Remote-User: evil\r\nPostern_User: evil\r\nx-forwarded-for: evil\r\n';
const handshake =
  `GET /echo HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n` +
  `Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: ${key}\r\n\r\n`;
const said = [
  `GET /a/b?c=d HTTP/1.1\r\nHost: x\r\n${identity}Accept: text/html\r\n\r\n`,
  `POST /a HTTP/1.1\r\nHost: x\r\n${identity}Content-Length: 5\r\n\r\nhelloGET /b HTTP/1.1\r\nHost: x\r\n\r\n`,
  `PUT /a HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n${identity}\r\n5;x=y\r\nhello\r\n0\r\nX-Sum: ab\r\n\r\nGET /b HTTP/1.1\r\nHost: x\r\n\r\n`,
  // No HEAD: what is refused is no request in the log, so that the order of methods would not be that of answers.
  `GET /a HTTP/1.0\r\nConnection: keep-alive\r\n${identity}\r\nGET /b HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n`,
  `${handshake}\x81\x82\0\0\0\0hi`,
];
const answers = [
  'HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 5\r\nConnection: keep-alive\r\n\r\nhello',
  'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X-Sum\r\n\r\n5;a=b\r\nhello\r\n0\r\nX-Sum: c\r\n\r\n',
  'HTTP/1.0 200 OK\r\nServer: old\r\n\r\nhello',
  'HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 302 Found\r\nLocation: http://x/b\r\nContent-Length: 0\r\n\r\n',
  `HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: ${acceptKey(key)}\r\n\r\n\x81\x02hi`,
];

/** Reads what a client got as a client does. Throws where a response could be read in two ways. */
function readResponses(text: string, methods: readonly string[]): void {
  const bytes = Buffer.from(text, 'latin1');
  let number = 0;
  for (let at = 0; at < bytes.length;) {
    const found = new HeadCollector().take(bytes, at);
    // The last one may have been broken off.
    if (!found) return;
    const head = readResponseHead(found.head);
    assert.ok(!/evil|\0/.test(found.head.toString('latin1')));
    at = found.end;
    if (head.status === 100) continue;
    const framing = responseFraming(head, methods[number] ?? 'GET');
    number += 1;
    if (framing.kind === 'switch') return;
    assert.notEqual(framing.kind, 'close', 'a client is told where a body ends');
    const body = new BodyTracker(framing, { trailers: true });
    at = body.take(bytes, at);
    if (!body.done) return;
  }
}

/** Works until the time is over; four at once, each with a seed of its own. */
async function fuzz(work: (seed: number) => Promise<void>): Promise<void> {
  const until = performance.now() + seconds * 1000;
  let seed = Date.now() % 1_000_000;
  const worker = async (): Promise<void> => {
    while (performance.now() < until) {
      const own = (seed += 1);
      await work(own).catch((cause: unknown) => {
        throw new Error(`with the seed ${own}`, { cause });
      });
    }
  };
  await Promise.all([worker(), worker(), worker(), worker()]);
}

describe('bytes that are no HTTP', () => {
  let application: Application;
  before(async () => void (application = await Application.start()));
  after(() => application[Symbol.asyncDispose]());
  beforeEach(() => void (application.seen.length = 0));
  afterEach(() => void (application.lie = undefined));

  it('attack: a client that says nearly proper requests', async function () {
    this.timeout(seconds * 1000 + 60_000);
    let told = 0;
    await fuzz(async (seed) => {
      const bytes = mutated(said[seed % said.length] ?? '', seed);
      const cut = seed % Math.max(1, bytes.length);
      const { host, text, outcome } = await say(application.spec, [bytes.subarray(0, cut), bytes.subarray(cut)], {
        config: { half_closed_seconds: 1, head_timeout_seconds: 1, body_timeout_seconds: 1 },
      });
      assert.notEqual(outcome.kind, 'failed', text);
      told += requests(host).length;
      assert.ok(host.dialled.every(({ stream }) => stream.destroyed));
      if (!text.includes(' 101 '))
        readResponses(
          text,
          requests(host).map(({ method }) => String(method)),
        );
    });
    assert.ok(application.seen.length <= told, 'whatever reached the application is in the audit log');
    for (const { headers, rawHeaders, url } of application.seen) {
      assert.equal(headers['postern-user'], 'alice');
      assert.equal(headers['x-forwarded-for'], '192.0.2.7');
      assert.ok(
        !rawHeaders.some((text, at) => ownHeader(text) && rawHeaders[at + 1]?.includes('evil')),
        rawHeaders.join(' '),
      );
      assert.match(url, /^\/|^\*$/);
    }
  });

  for (const [what, request] of [
    ['a request without a body', said[0] ?? ''],
    ['a request with a body', 'POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello'],
    ['a WebSocket', handshake],
  ] as const)
    it(`attack: an application that answers ${what} nearly properly`, async function () {
      this.timeout(seconds * 1000 + 60_000);
      let seed = 0;
      application.lie = (socket) => {
        seed += 1;
        const bytes = mutated(answers[seed % answers.length] ?? '', seed);
        const cut = seed % Math.max(1, bytes.length);
        socket.write(bytes.subarray(0, cut));
        socket.end(bytes.subarray(cut));
      };
      await fuzz(async () => {
        const config = { response_timeout_seconds: 20, half_closed_seconds: 1 };
        const held = await open(application.spec, { config });
        held.client.write(request, 'latin1');
        await eventually(() => held.got.text !== '' || held.client.readableEnded || held.client.destroyed);
        held.client.end();
        const outcome = await held.session.done;
        held.client.destroy();
        if (outcome.kind === 'failed') assert.match(held.got.text, /^HTTP\/1\.1 502 /);
        readResponses(held.got.text, [request.slice(0, request.indexOf(' '))]);
        assert.ok(held.host.dialled.every(({ stream }) => stream.destroyed));
      });
    });

  it('attack: a handshake of a WebSocket that breaks off at any byte, on either side', async function () {
    this.timeout(60_000);
    const broken = await Promise.all(
      Array.from({ length: handshake.length - 1 }, (_, at) => say(application.spec, [handshake.slice(0, at + 1)])),
    );
    for (const { text, outcome } of broken) assert.deepEqual([text, outcome.kind], ['', 'ended']);
    assert.equal(application.seen.length, 0);
    const agreement = (answers.at(-1) ?? '').split('\x81')[0] ?? '';
    let at = 0;
    application.lie = (socket) => socket.end(agreement.slice(0, (at += 1)));
    const declined = await Promise.all(
      Array.from({ length: agreement.length - 1 }, async () => {
        const held = await open(application.spec);
        held.client.write(handshake);
        await held.session.done;
        held.client.destroy();
        return held.got.text;
      }),
    );
    for (const text of declined) assert.match(text, /^HTTP\/1\.1 502 Bad Gateway\r\n/);
  });
});
