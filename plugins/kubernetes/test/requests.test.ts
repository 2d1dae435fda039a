import assert from 'node:assert/strict';
import { randomBytes, createHash } from 'node:crypto';
import { FakeApiServer } from './support/fake-api-server.js';
import { damaged } from './support/damaged.js';
import { of, open, say, tell } from './support/stand.js';

const shop = '/api/v1/namespaces/shop';
const request = (line: string, fields: readonly string[] = [], body = ''): string =>
  `${line} HTTP/1.1\r\nHost: kube\r\n${fields.map((field) => `${field}\r\n`).join('')}\r\n${body}`;
const get = (path: string, ...fields: string[]): string => request(`GET ${path}`, fields);

describe('requests through an agent', function () {
  this.timeout(20_000);
  let server: FakeApiServer;
  before(async () => void (server = await FakeApiServer.start()));
  after(() => server[Symbol.asyncDispose]());
  beforeEach(() => {
    server.seen.length = 0;
    server.lie = undefined;
  });

  it('are signed with the agent’s token, and made as whom the roles name', async () => {
    const { text, host } = await say(server, get(`${shop}/pods`));
    assert.match(text, /^HTTP\/1\.1 200 OK/);
    const [seen] = server.seen;
    assert.equal(seen?.headers.authorization, `Bearer ${server.token}`);
    assert.equal(seen.headers['impersonate-user'], 'dev');
    assert.equal(seen.headers['impersonate-group'], 'developers');
    assert.deepEqual(of(host, 'request'), [
      {
        connection: 4711,
        sequence: 1,
        method: 'GET',
        verb: 'list',
        resource: 'pods',
        namespace: 'shop',
        user: 'dev',
        groups: ['developers'],
      },
    ]);
    assert.equal(of(host, 'response')[0]?.['status'], 200);
  });

  it('spoofing an identity by header reaches nobody', async () => {
    const spoofed = [
      'Authorization: Bearer x',
      'X-Remote-User: admin',
      'X_Remote_Group: system:masters',
      'Impersonate-Uid: 0',
    ];
    await say(server, get(`${shop}/pods`, ...spoofed));
    assert.doesNotMatch(server.received(), /admin|system:masters|Bearer x$|Impersonate-Uid/m);
    assert.equal(server.seen[0]?.rawHeaders.filter((name) => /^authorization$/i.test(name)).length, 1);
  });

  it('impersonating somebody whom no role names is refused, with a Status', async () => {
    const { text, host } = await say(
      server,
      get(`${shop}/pods`, 'Impersonate-User: admin', 'Impersonate-Group: system:masters'),
    );
    assert.match(text, /^HTTP\/1\.1 403 Forbidden\r\n[^]*"kind":"Status"/);
    assert.equal(server.seen.length, 0);
    assert.ok(host.events.some(({ type }) => type === 'session.denied'));
  });

  it('a Connection that names our fields cannot have them dropped', async () => {
    for (const value of ['Impersonate-User', 'close, Authorization']) {
      const { text } = await tell(server, get(`${shop}/pods`, `Connection: ${value}`));
      assert.match(text, /^HTTP\/1\.1 400 /);
    }
    assert.equal(server.seen.length, 0);
  });

  const smuggled = get(`${shop}/configmaps/smuggled`);
  const smuggling: readonly (readonly [string, string])[] = [
    [
      'CL.TE',
      request(`POST ${shop}/pods`, ['Content-Length: 4', 'Transfer-Encoding: chunked'], `0\r\n\r\n${smuggled}`),
    ],
    ['CL.CL', request(`POST ${shop}/pods`, ['Content-Length: 0', `Content-Length: ${smuggled.length}`], smuggled)],
    [
      'TE.TE',
      request(`POST ${shop}/pods`, ['Transfer-Encoding: chunked', 'Transfer-Encoding: x'], `0\r\n\r\n${smuggled}`),
    ],
    ['an obscure coding', request(`POST ${shop}/pods`, ['Transfer-Encoding: \x0bchunked'], `0\r\n\r\n${smuggled}`)],
    ['a bare LF', `GET ${shop}/pods HTTP/1.1\nHost: kube\n\n${smuggled}`],
    ['a folded field', request(`GET ${shop}/pods`, ['X: y', ' Content-Length: 9'], smuggled)],
    ['two Hosts', request(`GET ${shop}/pods`, ['Host: other'], smuggled)],
    [
      'a bare LF in chunks',
      request(`POST ${shop}/pods`, ['Transfer-Encoding: chunked'], `1\nx\r\n0\r\n\r\n${smuggled}`),
    ],
    [
      'a trailer',
      request(`POST ${shop}/pods`, ['Transfer-Encoding: chunked'], `0\r\nImpersonate-User: admin\r\n\r\n${smuggled}`),
    ],
    [
      'a body of an upgrade',
      request(
        `POST ${shop}/pods/box/exec?command=id`,
        [
          'Connection: Upgrade',
          'Upgrade: SPDY/3.1',
          'X-Stream-Protocol-Version: v4.channel.k8s.io',
          `Content-Length: ${smuggled.length}`,
        ],
        smuggled,
      ),
    ],
    ['h2c', request(`GET ${shop}/pods`, ['Connection: Upgrade', 'Upgrade: h2c', 'Content-Length: 2'], 'PR')],
  ];
  for (const [name, attack] of smuggling)
    it(`smuggling by ${name} reaches nobody`, async () => {
      const { host } = await say(server, attack);
      assert.doesNotMatch(server.received(), /smuggled|admin|h2c/);
      for (const fields of of(host, 'request')) assert.notEqual(fields['name'], 'smuggled');
    });

  it('in a row are decided one by one, and answered in order', async () => {
    const { text, host } = await say(
      server,
      get(`${shop}/pods`) +
        request(`POST ${shop}/secrets`, ['Content-Length: 5'], 'hello') +
        request(`POST ${shop}/configmaps`, ['Transfer-Encoding: chunked'], '3\r\n{ }\r\n0\r\n\r\n') +
        get('/version') +
        get(`${shop}/pods/box`, 'Connection: close'),
    );
    assert.deepEqual(
      [...text.matchAll(/HTTP\/1\.1 (\d+)/g)].map(([, status]) => status),
      ['200', '403', '201', '200', '200'],
    );
    assert.deepEqual(
      server.seen.map(({ method, url }) => `${method} ${url}`),
      [`GET ${shop}/pods`, `POST ${shop}/configmaps`, 'GET /version', `GET ${shop}/pods/box`],
    );
    assert.equal(of(host, 'response').length, 4);
  });

  it('split anywhere are understood the same', async () => {
    const whole = get(`${shop}/pods/box`) + request(`POST ${shop}/configmaps`, ['Content-Length: 3'], '{ }');
    for (let cut = 1; cut < whole.length; cut += 7) {
      const held = await open(server);
      held.client.write(whole.slice(0, cut));
      await new Promise((resolve) => setImmediate(resolve));
      held.client.write(whole.slice(cut));
      await held.until(/ 200 OK[^]* 201 Created[^]*\n$/);
      await held.leave();
    }
  });

  it('with large bodies go on unchanged', async () => {
    const body = randomBytes(2_000_000);
    const { text } = await say(
      server,
      Buffer.concat([Buffer.from(request(`POST ${shop}/configmaps`, [`Content-Length: ${body.length}`])), body]),
    );
    assert.match(text, new RegExp(createHash('sha256').update(body).digest('hex')));
  });

  it('that do not fit any head end the connection with 431', async () => {
    const { text } = await say(server, get(`${shop}/pods`, `X: ${'y'.repeat(70_000)}`));
    assert.match(text, /^HTTP\/1\.1 431 /);
  });

  it('a body that was refused is not forwarded, however long', async () => {
    const body = 'x'.repeat(300_000);
    const { text } = await say(
      server,
      request(`POST ${shop}/secrets`, [`Content-Length: ${body.length}`], body) + get(`${shop}/pods`),
    );
    assert.deepEqual(
      [...text.matchAll(/HTTP\/1\.1 (\d+)/g)].map(([, status]) => status),
      ['403', '200'],
    );
    assert.doesNotMatch(server.received(), /xxx/);
  });

  it('exec over WebSocket is followed, and only framings that can be', async () => {
    const ask = (protocols: string): string =>
      request(`GET ${shop}/pods/box/exec?command=fail&tty=true`, [
        'Connection: Upgrade',
        'Upgrade: websocket',
        'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==',
        'Sec-WebSocket-Version: 13',
        'Sec-WebSocket-Extensions: permessage-deflate',
        `Sec-WebSocket-Protocol: ${protocols}`,
      ]);
    const { text, host } = await say(server, ask('channel.k8s.io, v5.channel.k8s.io'));
    assert.match(text, /^HTTP\/1\.1 101 [^]*failing/);
    assert.equal(server.seen[0]?.headers['sec-websocket-protocol'], 'v5.channel.k8s.io');
    assert.equal(server.seen[0].headers['sec-websocket-extensions'], undefined);
    assert.equal(of(host, 'stream')[0]?.['exit'], '7');
    const [terminal] = host.recordings.filter(({ kind }) => kind === 'terminal');
    assert.deepEqual(terminal?.entries, [{ direction: 'out', data: Buffer.from('failing\n') }]);
    assert.match((await say(server, ask('channel.k8s.io'))).text, /^HTTP\/1\.1 400 [^]*too old/);
  });

  it('exec without a change of protocol is refused', async () => {
    assert.match((await say(server, request(`POST ${shop}/pods/box/exec?command=id`))).text, /^HTTP\/1\.1 400 /);
    assert.equal(server.seen.length, 0);
  });

  it('a watch that is cut ends with an event that says why', async () => {
    const held = await open(server);
    held.client.write(get(`${shop}/configmaps?watch=1`));
    await held.until(/"ADDED"[^]*\n\r\n$/);
    held.host.cut({ code: 'locked', message: 'laptop lost' });
    await held.session.done;
    await held.until(/\r\n\{"type":"ERROR","object":\{"kind":"Status"[^]*laptop lost[^]*\r\n0\r\n\r\n$/);
    held.client.destroy();
  });

  describe('of a server that lies', () => {
    const lies: readonly (readonly [string, string])[] = [
      ['answers in no HTTP', 'SSH-2.0-x\r\n\r\n'],
      ['frames its answer in two ways', 'HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n'],
      [
        'changes the protocol unasked',
        'HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n',
      ],
      ['sends a head without end', `HTTP/1.1 200 OK\r\n${'x: y\r\n'.repeat(40_000)}`],
      ['sends a bare LF', 'HTTP/1.1 200 OK\nContent-Length: 0\n\n'],
    ];
    for (const [name, lie] of lies)
      it(`it ${name}: the client is told that it broke`, async () => {
        server.lie = (socket) => socket.end(lie);
        const { text } = await tell(server, get(`${shop}/pods`));
        assert.match(text, /^HTTP\/1\.1 (?:400|431|503) [^]*"Status"/);
      });

    it('it answers twice: the second answer reaches nobody', async () => {
      server.lie = (socket) =>
        socket.end('HTTP/1.1 204 No Content\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\npoison');
      const { text } = await say(server, get(`${shop}/pods`));
      assert.doesNotMatch(text, /poison/);
    });

    it('it chooses a framing that was not offered: nothing of it is passed on', async () => {
      server.lie = (socket) =>
        socket.end(
          'HTTP/1.1 101 Switching Protocols\r\nUpgrade: SPDY/3.1\r\nConnection: Upgrade\r\nX-Stream-Protocol-Version: channel.k8s.io\r\n\r\nsecret',
        );
      const fields = ['Connection: Upgrade', 'Upgrade: SPDY/3.1', 'X-Stream-Protocol-Version: v4.channel.k8s.io'];
      const { text } = await say(server, request(`POST ${shop}/pods/box/exec?command=id`, fields));
      assert.doesNotMatch(text, /secret|101/);
    });
  });

  it('that are damaged at random reach nobody as anybody else', async function () {
    this.timeout(120_000);
    const whole = Buffer.from(
      get(`${shop}/pods`) + request(`POST ${shop}/configmaps`, ['Transfer-Encoding: chunked'], '3\r\n{ }\r\n0\r\n\r\n'),
    );
    const rounds = process.env['POSTERN_TEST_FULL'] === '1' ? 2000 : 60;
    for (let seed = 1; seed <= rounds; seed += 1) {
      const held = await open(server);
      held.client.write(damaged(whole, seed));
      held.client.end();
      await held.session.done;
      held.client.destroy();
    }
    for (const { headers } of server.seen) {
      assert.equal(headers['impersonate-user'], 'dev');
      assert.equal(headers.authorization, `Bearer ${server.token}`);
    }
  });
});
