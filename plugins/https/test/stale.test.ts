import assert from 'node:assert/strict';
import type { Socket } from 'node:net';
import { Application } from './support/application.js';
import { eventually, open, requests } from './support/stand.js';

describe('a connection to the application that was closed at the moment in which it is asked', () => {
  let application: Application;
  /** Sockets that have answered once. */
  const used = new Set<Socket>();
  let cuts = 0;
  before(async () => void (application = await Application.start()));
  after(() => application[Symbol.asyncDispose]());
  beforeEach(() => {
    used.clear();
    cuts = 0;
    application.seen.length = 0;
    application.lie = (socket) => {
      if (used.has(socket)) {
        cuts += 1;
        return socket.resetAndDestroy();
      }
      used.add(socket);
      socket.write('HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\ngood');
    };
  });

  const first = 'GET /first HTTP/1.1\r\nHost: x\r\n\r\n';
  for (const method of ['GET', 'HEAD', 'OPTIONS'])
    it(`is no matter for ${method}, which is sent once more, and recorded once`, async () => {
      const held = await open(application.spec);
      held.client.write(first);
      await held.until(/good$/);
      held.got.text = '';
      held.client.write(`${method} /second HTTP/1.1\r\nHost: x\r\n\r\n`);
      await held.until(/^HTTP\/1\.1 200 OK\r\n[^]*\r\n\r\n/);
      await held.leave();
      assert.equal(cuts, 1);
      assert.deepEqual(
        application.seen.map(({ url }) => url),
        ['/first', '/second', '/second'],
      );
      assert.equal(requests(held.host).length, 2);
    });

  const once: readonly (readonly [string, string])[] = [
    ['POST without a body', 'POST /second HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n'],
    ['PATCH without a body', 'PATCH /second HTTP/1.1\r\nHost: x\r\n\r\n'],
    ['PUT without a body', 'PUT /second HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n'],
    ['DELETE without a body', 'DELETE /second HTTP/1.1\r\nHost: x\r\n\r\n'],
    ['POST with a body', 'POST /second HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\nab'],
    ['PUT with a body', 'PUT /second HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\nab'],
  ];
  for (const [what, request] of once)
    it(`attack: ${what} is not sent twice`, async () => {
      const held = await open(application.spec);
      held.client.write(first);
      await held.until(/good$/);
      held.got.text = '';
      held.client.write(request);
      await held.until(/^HTTP\/1\.1 (502|200) /);
      await held.leave();
      // On a busy machine the first connection is no recent one any more, and was not taken.
      assert.equal(application.seen.filter(({ url }) => url === '/second').length, 1);
      assert.equal(cuts, held.got.text.startsWith('HTTP/1.1 502') ? 1 : 0);
    });

  it('attack: an application that has begun to answer is not asked again', async () => {
    const held = await open(application.spec);
    held.client.write(first);
    await held.until(/good$/);
    application.lie = (socket) => socket.end('HTTP/1.1 20');
    held.got.text = '';
    held.client.write('GET /second HTTP/1.1\r\nHost: x\r\n\r\n');
    await held.until(/^HTTP\/1\.1 502 /);
    await held.leave();
    assert.equal(application.seen.filter(({ url }) => url === '/second').length, 1);
  });

  it('attack: an application that is silent on a connection used before is not asked again', async function () {
    this.timeout(20_000);
    const held = await open(application.spec, { config: { response_timeout_seconds: 5 } });
    application.lie = (socket, { url }) =>
      url === '/second' || socket.write('HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\ngood');
    held.client.write(first);
    await held.until(/^HTTP\/1\.1 200 [^]*good$/);
    held.got.text = '';
    held.client.write('GET /second HTTP/1.1\r\nHost: x\r\n\r\n');
    await held.until(/^HTTP\/1\.1 504 /);
    await held.leave();
    assert.equal(application.seen.filter(({ url }) => url === '/second').length, 1);
  });

  it('attack: an application that closes every connection is asked twice, and not for ever', async () => {
    const held = await open(application.spec);
    held.client.write(first);
    await held.until(/good$/);
    application.lie = (socket) => socket.resetAndDestroy();
    held.got.text = '';
    held.client.write('GET /second HTTP/1.1\r\nHost: x\r\n\r\n');
    await held.until(/^HTTP\/1\.1 502 /);
    await held.leave();
    assert.equal(application.seen.filter(({ url }) => url === '/second').length, 2);
    await eventually(() => application.sockets.size === 0);
  });
});
