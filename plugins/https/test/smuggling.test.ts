import assert from 'node:assert/strict';
import { Application } from './support/application.js';
import { open, say, tell } from './support/stand.js';

describe('what is no proper HTTP', () => {
  let application: Application;
  before(async () => void (application = await Application.start()));
  after(() => application[Symbol.asyncDispose]());
  beforeEach(() => void (application.seen.length = 0));

  const inner = 'GET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n';
  const attacks: readonly (readonly [string, string, number])[] = [
    [
      'both lengths, CL.TE',
      `POST / HTTP/1.1\r\nHost: x\r\nContent-Length: ${inner.length + 5}\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n${inner}`,
      400,
    ],
    [
      'both lengths, TE.CL',
      `POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n5c\r\n${inner}`,
      400,
    ],
    [
      'two codings, TE.TE',
      `POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n0\r\n\r\n${inner}`,
      400,
    ],
    ['a coding that is not chunked', `POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: xchunked\r\n\r\n${inner}`, 501],
    ['a list of codings', `POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: gzip, chunked\r\n\r\n${inner}`, 501],
    [
      'a coding behind a tab and a vertical tab',
      `POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding:\x0bchunked\r\n\r\n0\r\n\r\n`,
      400,
    ],
    ['a space before the colon', `POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding : chunked\r\n\r\n0\r\n\r\n`, 400],
    ['the same length twice', `POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nContent-Length: 5\r\n\r\nhello`, 400],
    ['two lengths', `POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello`, 400],
    [
      'lengths in underscores',
      `POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nContent_Length: 6\r\n\r\nhello`,
      400,
    ],
    ['a length in an underscore alone', `POST / HTTP/1.1\r\nHost: x\r\nContent_Length: 5\r\n\r\nhello`, 400],
    [
      'a coding in an underscore alone',
      `POST / HTTP/1.1\r\nHost: x\r\nTransfer_Encoding: chunked\r\n\r\n0\r\n\r\n${inner}`,
      400,
    ],
    ['a length of nothing in an underscore', `GET / HTTP/1.1\r\nHost: x\r\nContent_Length: 0\r\n\r\n${inner}`, 400],
    ['a list of lengths', `POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5, 5\r\n\r\nhello`, 400],
    ['a length with a sign', `POST / HTTP/1.1\r\nHost: x\r\nContent-Length: +5\r\n\r\nhello`, 400],
    ['a negative length', `POST / HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n`, 400],
    ['a hexadecimal length', `POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 0x5\r\n\r\nhello`, 400],
    ['a bare LF in the head', `GET / HTTP/1.1\nHost: x\n\n`, 400],
    ['a bare CR in a field', `GET / HTTP/1.1\r\nHost: x\r\nX: a\rb\r\n\r\n`, 400],
    ['a folded field', `GET / HTTP/1.1\r\nHost: x\r\nX: a\r\n b\r\n\r\n`, 400],
    ['a folded length', `POST / HTTP/1.1\r\nHost: x\r\nContent-Length:\r\n 5\r\n\r\nhello`, 400],
    ['NUL in a field', `GET / HTTP/1.1\r\nHost: x\r\nX: a\0b\r\n\r\n`, 400],
    ['a field without a name', `GET / HTTP/1.1\r\nHost: x\r\n: a\r\n\r\n`, 400],
    ['two Hosts', `GET / HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n`, 400],
    ['no Host', `GET / HTTP/1.1\r\n\r\n`, 400],
    ['a Host with a path', `GET / HTTP/1.1\r\nHost: x/y\r\n\r\n`, 400],
    ['a Host with a user', `GET / HTTP/1.1\r\nHost: x@y\r\n\r\n`, 400],
    ['the absolute form', `GET http://y/ HTTP/1.1\r\nHost: x\r\n\r\n`, 400],
    ['CONNECT', `CONNECT y:443 HTTP/1.1\r\nHost: y:443\r\n\r\n`, 400],
    ['CONNECT with a path', `CONNECT / HTTP/1.1\r\nHost: y\r\n\r\n`, 501],
    ['TRACE', `TRACE / HTTP/1.1\r\nHost: x\r\n\r\n`, 501],
    ['a fragment', `GET /a#b HTTP/1.1\r\nHost: x\r\n\r\n`, 400],
    ['a space in the target', `GET /a b HTTP/1.1\r\nHost: x\r\n\r\n`, 400],
    ['a tab in the request line', `GET\t/\tHTTP/1.1\r\nHost: x\r\n\r\n`, 400],
    ['HTTP/0.9', `GET /\r\n\r\n`, 400],
    ['the preface of HTTP/2', `PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n`, 505],
    ['HTTP/1.2', `GET / HTTP/1.2\r\nHost: x\r\n\r\n`, 505],
    ['an empty line before the request', `\r\nGET / HTTP/1.1\r\nHost: x\r\n\r\n`, 400],
    ['a head of 40 kB', `GET / HTTP/1.1\r\nHost: x\r\nX: ${'a'.repeat(40_000)}\r\n\r\n`, 431],
    ['300 fields', `GET / HTTP/1.1\r\nHost: x\r\n${'A: b\r\n'.repeat(300)}\r\n`, 431],
    ['a path of 5000 characters', `GET /${'a'.repeat(5000)} HTTP/1.1\r\nHost: x\r\n\r\n`, 431],
    ['another expectation', `POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nExpect: 200-ok\r\n\r\nx`, 417],
    [
      'two expectations',
      `POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nExpect: 100-continue\r\nExpect: 100-continue\r\n\r\nx`,
      417,
    ],
    ['chunks in HTTP/1.0', `POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`, 400],
  ];
  for (const [name, bytes, status] of attacks)
    it(`attack: ${name}`, async () => {
      const { text, host } = await tell(application.spec, [bytes], { config: { keep_alive_seconds: 1 } });
      assert.match(text, new RegExp(`^HTTP/1\\.1 ${status} `));
      assert.equal(text.match(/^HTTP\/1\.1 \d/gm)?.length, 1, text);
      assert.deepEqual(application.seen, []);
      assert.equal(host.dialled.length, 0);
    });

  const chunk = 'POST /x HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n';
  const bodies: readonly (readonly [string, string])[] = [
    ['a chunk whose size has a bare LF', `5\nhello\r\n0\r\n\r\n`],
    ['a chunk that is longer than it says', `5\r\nhello!\r\n0\r\n\r\n`],
    ['a size with a sign', `+5\r\nhello\r\n0\r\n\r\n`],
    ['a size with 0x', `0x5\r\nhello\r\n0\r\n\r\n`],
    ['a size that overflows', `10000000000000005\r\nhello\r\n0\r\n\r\n`],
    ['an extension of 300 characters', `5;${'a'.repeat(300)}\r\nhello\r\n0\r\n\r\n`],
    ['an extension with a bare LF', `5;a\nb\r\nhello\r\n0\r\n\r\n`],
    ['an extension with a bare CR', `5;a\rb\r\nhello\r\n0\r\n\r\n`],
    ['trailers of 10 kB', `0\r\n${`A: ${'b'.repeat(1000)}\r\n`.repeat(10)}\r\n`],
    ['a trailer that is none', `0\r\nGET /smuggled HTTP/1.1\r\n\r\n`],
  ];
  for (const [name, body] of bodies)
    it(`attack: ${name}`, async () => {
      const { text } = await tell(application.spec, [`${chunk}${body}${inner}`]);
      assert.match(text, /^HTTP\/1\.1 400 /);
      assert.ok(!application.seen.some(({ url }) => url === '/smuggled'));
      assert.ok(!application.seen.some(({ body: got }) => got.includes('hello')) || application.streaming.size === 0);
    });

  it('attack: a length that is longer than the body, so that the next request is its rest', async () => {
    const { text } = await say(application.spec, [
      `POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: ${inner.length}\r\n\r\n${inner}`,
    ]);
    assert.equal(application.seen.length, 1);
    assert.match(text, /"body":"GET \/smuggled/);
  });

  it('attack: a second request behind a refused one', async () => {
    const { text } = await tell(application.spec, [`GET / HTTP/1.1\r\nHost: x\r\nX: a\0b\r\n\r\n${inner}`]);
    assert.equal(text.match(/HTTP\/1\.1 /g)?.length, 1);
    assert.deepEqual(application.seen, []);
  });

  it('attack: a head that never ends (slowloris)', async () => {
    const held = await open(application.spec, { config: { head_timeout_seconds: 1 } });
    held.client.write('GET / HTTP/1.1\r\nHost: x\r\n');
    const drip = setInterval(() => held.client.write('A: b\r\n'), 50);
    await held.session.done;
    clearInterval(drip);
    await held.until(/^HTTP\/1\.1 408 Request Timeout\r\n/);
    assert.deepEqual(application.seen, []);
    held.client.destroy();
  });

  it('attack: a body that never comes', async () => {
    const held = await open(application.spec, { config: { body_timeout_seconds: 1 } });
    held.client.write('POST /x HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nabc');
    await held.session.done;
    assert.ok(!application.seen.some(({ body }) => body.length > 3));
    held.client.destroy();
  });

  it('ends a connection that is idle for long, without a word', async () => {
    const held = await open(application.spec, { config: { keep_alive_seconds: 1 } });
    held.client.write('GET /x HTTP/1.1\r\nHost: x\r\n\r\n');
    const outcome = await held.session.done;
    assert.equal(outcome.kind, 'ended');
    assert.equal(held.got.text.match(/HTTP\/1\.1/g)?.length, 1);
    held.client.destroy();
  });

  const request = `POST /split?a=1 HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\nX-Sum: y\r\n\r\n`;

  it('is understood the same at whatever byte it is split', async () => {
    await Promise.all(
      Array.from({ length: request.length - 1 }, async (_, at) => {
        const held = await open(application.spec);
        held.client.write(request.slice(0, at + 1));
        await new Promise((resolve) => setTimeout(resolve, 5));
        held.client.write(request.slice(at + 1));
        await held.until(/"body":"abc"/);
        assert.equal((await held.leave()).kind, 'ended');
      }),
    );
    assert.equal(application.seen.length, request.length - 1);
  });

  it('ends quietly at whatever byte the client goes away', async () => {
    const outcomes = await Promise.all(
      Array.from({ length: request.length - 1 }, (_, at) => say(application.spec, [request.slice(0, at + 1)])),
    );
    for (const { text, outcome } of outcomes) {
      assert.equal(outcome.kind, 'ended');
      assert.equal(text, '');
    }
    assert.ok(!application.seen.some(({ body, trailers }) => body === 'abc' && trailers['x-sum'] === 'y'));
  });
});
