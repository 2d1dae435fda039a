import assert from 'node:assert/strict';
import type { Socket } from 'node:net';
import { Application } from './support/application.js';
import { open, say, tell } from './support/stand.js';

describe('an application that lies', () => {
  let application: Application;
  before(async () => void (application = await Application.start()));
  after(() => application[Symbol.asyncDispose]());
  afterEach(() => void (application.lie = undefined));

  const get = 'GET /x HTTP/1.1\r\nHost: x\r\n\r\n';
  const lies: readonly (readonly [string, string | ((socket: Socket) => void), RegExp])[] = [
    ['a bad status line', 'NOPE\r\n\r\n', /^HTTP\/1\.1 502 /],
    ['the status 000', 'HTTP/1.1 000 Zero\r\nContent-Length: 0\r\n\r\n', /^HTTP\/1\.1 502 /],
    ['the status 999', 'HTTP/1.1 999 Much\r\nContent-Length: 2\r\n\r\nno', /^HTTP\/1\.1 502 /],
    ['HTTP/0.9', '<html>hello</html>', /^HTTP\/1\.1 502 /],
    [
      'an upgrade that nobody asked for',
      'HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\nraw',
      /^HTTP\/1\.1 502 /,
    ],
    [
      'a head without end',
      (socket) => {
        socket.write('HTTP/1.1 200 OK\r\n');
        const more = (): void => {
          while (!socket.destroyed && socket.write(`X: ${'a'.repeat(1000)}\r\n`));
        };
        socket.on('drain', more);
        more();
      },
      /^HTTP\/1\.1 502 /,
    ],
    [
      'interim responses without end',
      (socket) => {
        const more = (): void => {
          while (!socket.destroyed && socket.write('HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n'));
        };
        socket.on('drain', more);
        more();
      },
      /^HTTP\/1\.1 502 /,
    ],
    [
      'both lengths',
      'HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n',
      /^HTTP\/1\.1 502 /,
    ],
    ['two lengths', 'HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello!', /^HTTP\/1\.1 502 /],
    [
      'a coding that nobody knows',
      'HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n',
      /^HTTP\/1\.1 502 /,
    ],
    [
      'a chunk that is longer than it says',
      'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello!!\r\n0\r\n\r\n',
      /^HTTP\/1\.1 502 /,
    ],
    ['nothing', (socket) => socket.end(), /^HTTP\/1\.1 502 /],
    ['a reset', (socket) => socket.resetAndDestroy(), /^HTTP\/1\.1 502 /],
    [
      'a control character in the reason',
      'HTTP/1.1 200 O\x01K\r\nContent-Length: 2\r\n\r\nok',
      /^HTTP\/1\.1 (200 OK|502)/,
    ],
    [
      'a control character in a field',
      'HTTP/1.1 200 OK\r\nX: a\x01b\r\nContent-Length: 2\r\n\r\nok',
      /^HTTP\/1\.1 (200|502) /,
    ],
    [
      'a bare CR in a field (response splitting)',
      'HTTP/1.1 200 OK\r\nX: a\rSet-Cookie: b\r\nContent-Length: 2\r\n\r\nok',
      /^HTTP\/1\.1 (200|502) /,
    ],
  ];
  for (const [name, lie, told] of lies)
    it(`attack: ${name}`, async () => {
      application.lie = (socket) => (typeof lie === 'string' ? socket.end(lie, 'latin1') : lie(socket));
      const { text, host } = await say(application.spec, [get]);
      assert.match(text, told);
      assert.ok(!/\rSet-Cookie|\x01|raw$/i.test(text), text);
      assert.ok(host.events.some(({ type }) => type === 'session.end'));
      assert.ok(host.dialled.every(({ stream }) => stream.destroyed));
    });

  const post = 'POST /x HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\nab';
  for (const [way, request] of [
    ['without a body', get],
    ['with a body', post],
  ] as const)
    for (const field of ['Content_Length: 2', 'transfer_encoding: chunked'])
      it(`attack: ${field} in the answer to a request ${way}`, async () => {
        application.lie = (socket) =>
          socket.end(`HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n${field}\r\nConnection: close\r\n\r\nok`);
        const { text } = await tell(application.spec, [request], { config: { keep_alive_seconds: 1 } });
        assert.match(text, /^HTTP\/1\.1 502 /);
        assert.ok(!/_/.test(text), text);
      });

  const head = 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n';
  const behind =
    '0\r\nSet-Cookie: a=1\r\nX-Sum: abc\r\nContent_Type: text/html\r\nHost: y\r\nX-Forwarded-For: z\r\n\r\n';
  for (const [way, request] of [
    ['without a body', get],
    ['with a body', post],
  ] as const)
    for (const cut of [0, 3, 12, 30, behind.length - 1])
      it(`attack: fields that belong before the body stand behind it, cut at ${cut}, for a request ${way}`, async () => {
        application.lie = (socket) => {
          socket.setNoDelay().write(`${head}2\r\nok\r\n${behind.slice(0, cut)}`);
          setTimeout(() => socket.write(behind.slice(cut)), 20);
        };
        const held = await open(application.spec);
        held.client.write(request);
        await held.until(/\r\n\r\n2\r\nok\r\n0\r\nX-Sum: abc\r\n\r\n$/);
        await held.leave();
      });

  const breaks: readonly (readonly [string, string, RegExp])[] = [
    ['a length that never comes', 'HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhello', /Length/i],
    ['chunks that break off', 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n', /chunked/i],
  ];
  for (const [name, lie, seen] of breaks)
    it(`attack: ${name}: the client sees that it is not whole`, async () => {
      application.lie = (socket) => socket.end(lie);
      const held = await open(application.spec);
      held.client.write(get);
      await held.session.done;
      await held.until(/200 OK[^]*\r\n\r\n/);
      assert.match(held.got.text, seen);
      assert.ok(!held.got.text.endsWith('0\r\n\r\n'));
      held.client.destroy();
    });

  it('attack: a response for a request that nobody has sent yet', async () => {
    application.lie = (socket) =>
      socket.write(
        'HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nmineHTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\npoison',
      );
    const held = await open(application.spec);
    held.client.write(get);
    await held.until(/mine$/);
    application.lie = undefined;
    held.client.write('GET /second HTTP/1.1\r\nHost: x\r\n\r\n');
    await held.until(/"url":"\/second"/);
    assert.ok(!held.got.text.includes('poison'));
    await held.leave();
  });

  it('does not answer: the client is told so', async () => {
    const { text } = await say(application.spec, ['GET /silent HTTP/1.1\r\nHost: x\r\n\r\n'], {
      config: { response_timeout_seconds: 1 },
    });
    assert.match(text, /^HTTP\/1\.1 504 Gateway Timeout\r\n[^]*did not answer in time/);
  });

  it('leaves the sessions of others alone', async () => {
    application.lie = (socket, { url }) =>
      url === '/x' ? socket.resetAndDestroy() : socket.end('HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\ngood');
    const answers = await Promise.all(
      Array.from({ length: 20 }, (_, at) =>
        say(application.spec, [`GET ${at % 2 ? '/x' : '/y'} HTTP/1.1\r\nHost: x\r\n\r\n`]),
      ),
    );
    answers.forEach(({ text }, at) => assert.match(text, at % 2 ? /^HTTP\/1\.1 502 / : /good$/));
  });
});
