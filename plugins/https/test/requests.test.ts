import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { Application } from './support/application.js';
import { eventually, marks, open, requests, say, tell } from './support/stand.js';

describe('a request', () => {
  let application: Application;
  before(async () => void (application = await Application.start()));
  after(() => application[Symbol.asyncDispose]());
  beforeEach(() => void (application.seen.length = 0));

  const get = (path: string, more = ''): string => `GET ${path} HTTP/1.1\r\nHost: shop.example\r\n${more}\r\n`;
  const last = () => application.seen.at(-1) ?? assert.fail('nothing has reached the application');

  it('is told who the user is, and by whom that was signed', async () => {
    const token = `e30.${Buffer.from(JSON.stringify({ exp: Date.now() / 1000 + 300 })).toString('base64url')}.c2ln`;
    const audiences: string[] = [];
    const credentials = {
      assertion: async (audience: string) => {
        audiences.push(audience);
        return token;
      },
    };
    const held = await open(application.spec, { credentials });
    for (const path of ['/one', '/two']) {
      held.client.write(get(path));
      await held.until(new RegExp(`"url":"${path}"`));
    }
    await held.leave();
    const { headers } = last();
    assert.equal(headers['postern-assertion'], token);
    assert.equal(headers['postern-user'], 'alice');
    assert.equal(headers['x-forwarded-for'], '192.0.2.7');
    assert.equal(headers['x-forwarded-host'], 'shop.example');
    assert.equal(headers['x-forwarded-proto'], 'https');
    assert.equal(headers.host, `127.0.0.1:${application.port}`);
    assert.deepEqual(audiences, ['resource-1']);
  });

  it('gets another token before the first one ends', async () => {
    let count = 0;
    const credentials = {
      assertion: async () =>
        `e30.${Buffer.from(JSON.stringify({ exp: Date.now() / 1000 + 30 })).toString('base64url')}.n${(count += 1)}`,
    };
    await say(application.spec, [get('/a'), get('/b')], { credentials });
    assert.equal(count, 2);
  });

  it('is refused where there is no token to be had', async () => {
    const credentials = { assertion: () => Promise.reject(new Error('no')) };
    const { text } = await say(application.spec, [get('/a')], { credentials });
    assert.match(text, /^HTTP\/1\.1 500 /);
    assert.equal(application.seen.length, 0);
  });

  const forged = [
    'X-Forwarded-For: 10.0.0.1',
    'X_Forwarded_For: 10.0.0.1',
    'x-forwarded-user: root',
    'X-FORWARDED_HOST: evil',
    'Forwarded: for=10.0.0.1',
    'X-Real-IP: 10.0.0.1',
    'Remote-User: root',
    'Remote_User: root',
    'X-Remote-User: root',
    'X_REMOTE_GROUP: admins',
    'X-WebAuth-User: root',
    'Postern-User: root',
    'postern_assertion: forged',
    'Postern-Anything: forged',
    'X-HTTP-Method-Override: DELETE',
    'X-Original-URL: /admin',
    'X-Rewrite-URL: /admin',
    'Via: forged',
    'True-Client-IP: 10.0.0.1',
  ];
  const common =
    'X-authentik-username SM_USER sm-universalid OIDC_CLAIM_email OIDC-Claim-Sub X-Auth-User X_Auth_Email X-Pomerium-Claim-Email X-Token-Subject X-User-Id X_USER_ROLES';
  for (const header of [...forged, ...common.split(' ').map((name) => `${name}: forged`)])
    it(`attack: forged identity: ${header}`, async () => {
      await say(application.spec, [get('/', `${header}\r\n`)]);
      const text = JSON.stringify(last().rawHeaders);
      const value = header.split(': ')[1] ?? '';
      assert.ok(!text.includes(`"${value}"`), text);
      assert.ok(
        !last().rawHeaders.includes(header.split(':')[0] ?? '') || /^(Postern-User|X-Forwarded-For)/.test(header),
      );
    });

  for (const named of ['Postern-User', 'X-Forwarded-For', 'postern-assertion', 'Host'])
    it(`attack: Connection: ${named}, to have our own field dropped`, async () => {
      const { text } = await tell(application.spec, [get('/', `Connection: close, ${named}\r\n`)]);
      assert.match(text, /^HTTP\/1\.1 400 /);
      assert.equal(application.seen.length, 0);
    });

  it('keeps cookies and the application’s own authorization', async () => {
    await say(application.spec, [get('/', 'Cookie: a=1\r\nAuthorization: Bearer x\r\n')]);
    assert.equal(last().headers.cookie, 'a=1');
    assert.equal(last().headers.authorization, 'Bearer x');
  });

  it('has the headers that the resource adds, and not the client’s of that name', async () => {
    const spec = { ...application.spec, headers: { 'X-Team': 'blue' }, secret_headers: { 'X-Api-Key': 'key' } };
    const credentials = { secret: async () => 'sesame-sesame-sesame\n' };
    const { host } = await say(spec, [get('/empty', 'x_team: red\r\nX-API-KEY: mine\r\n')], { credentials });
    const { headers, rawHeaders } = last();
    assert.equal(headers['x-team'], 'blue');
    assert.equal(headers['x-api-key'], 'sesame-sesame-sesame');
    assert.ok(!JSON.stringify(rawHeaders).includes('red') && !JSON.stringify(rawHeaders).includes('mine'));
    assert.ok(!JSON.stringify(host.events).includes('sesame'));
  });

  it('goes to the Host and below the path that the resource names, and redirects come back without them', async () => {
    const spec = { ...application.spec, host_header: 'inner.example', path_prefix: '/inner' };
    await say(spec, [get('/list?a=1')]);
    assert.equal(last().url, '/inner/list?a=1');
    assert.equal(last().headers.host, 'inner.example');
    const { text } = await say({ ...application.spec, host_header: 'inner.example' }, [get('/redirect')]);
    assert.match(text, /\r\nlocation: \/next\?x=1\r\n/i);
  });

  it('is recorded before it is sent, and its end afterwards', async () => {
    const { host } = await say(application.spec, [get('/a%20b?token=secret', 'User-Agent: tester\r\n')]);
    assert.deepEqual(requests(host), [
      {
        connection: 4711,
        sequence: 1,
        method: 'GET',
        path: '/a b',
        query: 'token=secret',
        host: 'shop.example',
        agent: 'tester',
      },
    ]);
    const [end] = marks(host, 'response');
    assert.equal(end?.['status'], 200);
    assert.equal(end['complete'], true);
    assert.ok(Number(end['bytesOut']) > 100);
  });

  it('is denied by method and by path, and the connection goes on', async () => {
    const allow = { methods: ['GET'], paths: ['/shop/*'] };
    const pieces = [get('/shop/a'), 'DELETE /shop/a HTTP/1.1\r\nHost: x\r\n\r\n', get('/vault'), get('/shop/b')];
    const { text, host } = await say(application.spec, pieces, { allow });
    const statuses = [...text.matchAll(/HTTP\/1\.1 (\d+)/g)].map(([, status]) => status);
    assert.deepEqual(statuses, ['200', '403', '403', '200']);
    assert.deepEqual(
      application.seen.map(({ url }) => url),
      ['/shop/a', '/shop/b'],
    );
    assert.equal(host.events.filter(({ type }) => type === 'session.denied').length, 2);
    assert.equal(requests(host).length, 2);
  });

  const forms: readonly (readonly [string, RegExp])[] = [
    ['text/html,*/*', /Content-Type: text\/html[^]*<p>access denied<\/p>/],
    [
      'application/json',
      /Content-Type: application\/json[^]*\{"error":\{"code":"access_denied","message":"access denied"\}\}/,
    ],
    ['*/*', /Content-Type: text\/plain[^]*403 Forbidden: access denied/],
  ];
  for (const [accept, words] of forms)
    it(`is denied in the form ${accept}`, async () => {
      const allow = { methods: ['GET'], paths: ['/shop/*'] };
      assert.match((await say(application.spec, [get('/vault', `Accept: ${accept}\r\n`)], { allow })).text, words);
    });

  it('is sent with 5 MB of body, which is as it was', async () => {
    const body = Buffer.alloc(5_000_000, 'abcdefg');
    const hash = createHash('sha256').update(body).digest('hex');
    const { text } = await say(application.spec, [
      `PUT /upload HTTP/1.1\r\nHost: x\r\nContent-Length: ${body.length}\r\n\r\n`,
      body,
    ]);
    assert.match(text, new RegExp(`${body.length} ${hash}`));
  });

  it('is sent with chunks and fields behind them', async () => {
    const chunks = '4\r\nbody\r\n0\r\nX-Sum: abc\r\nPostern-User: root\r\n\r\n';
    const { text } = await say(application.spec, [
      `POST /x HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n${chunks}`,
    ]);
    assert.match(text, /"body":"body"/);
    assert.equal(last().trailers['x-sum'], 'abc');
    assert.equal(last().trailers['postern-user'], undefined);
  });

  it('attack: a DELETE with chunks whose body is a second request', async () => {
    const inner = 'GET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n';
    const { text } = await say(application.spec, [
      `DELETE /x HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n${inner.length.toString(16)}\r\n${inner}\r\n0\r\n\r\n`,
      get('/after'),
    ]);
    assert.deepEqual(
      application.seen.map(({ method, url }) => `${method} ${url}`),
      ['DELETE /x', 'GET /after'],
    );
    assert.equal(last().url, '/after');
    assert.equal(text.match(/HTTP\/1\.1 200/g)?.length, 2);
  });

  it('waits for 100 Continue, which comes once it was allowed', async () => {
    const held = await open(application.spec, { allow: { methods: ['*'], paths: ['/ok'] } });
    const head = (path: string): string =>
      `POST ${path} HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\nExpect: 100-continue\r\n\r\n`;
    held.client.write(head('/ok'));
    await held.until(/^HTTP\/1\.1 100 Continue\r\n\r\n$/);
    held.client.write('body');
    await held.until(/"body":"body"/);
    held.got.text = '';
    held.client.write(head('/no'));
    await held.until(/^HTTP\/1\.1 403 /);
    await held.leave();
  });

  it('is answered with trailers, several cookies, and without the application’s own connection', async () => {
    const { text } = await say(application.spec, [get('/trailers'), get('/cookies')]);
    assert.match(text, /\r\n0\r\nX-Sum: abc\r\n\r\n/i);
    assert.match(text, /set-cookie: a=1\r\nset-cookie: b=2\r\n/i);
    assert.ok(!/x-inner/i.test(text));
  });

  it('is answered without a body where it is HEAD, and where there is none', async () => {
    const { text } = await say(application.spec, ['HEAD /x HTTP/1.1\r\nHost: x\r\n\r\n', get('/empty'), get('/end')]);
    assert.match(
      text,
      /^HTTP\/1\.1 200 OK\r\n[^]*?content-length: \d+\r\n[^]*?\r\n\r\nHTTP\/1\.1 204 No Content\r\n[^{]*HTTP\/1\.1 200/i,
    );
  });

  it('speaks HTTP/1.0', async () => {
    const { text } = await say(application.spec, ['GET /x HTTP/1.0\r\n\r\n']);
    assert.match(text, /^HTTP\/1\.1 200 OK\r\n[^]*connection: close\r\n[^]*"url":"\/x"/i);
  });

  it('streams events as they come', async () => {
    const held = await open(application.spec, { config: { half_closed_seconds: 1 } });
    held.client.write(get('/endless'));
    await held.until(/data: first/);
    assert.equal(application.streaming.size, 1);
    held.client.destroy();
    await held.session.done;
    await eventually(() => application.streaming.size === 0);
  });

  it('uses one connection to the application for many requests', async () => {
    const before = application.connections;
    await say(
      application.spec,
      Array.from({ length: 20 }, (_, at) => get(`/${at}`)),
    );
    assert.equal(application.seen.length, 20);
    assert.equal(application.connections, before + 1);
  });

  it('is asked again where the idle connection was closed meanwhile', async () => {
    const held = await open(application.spec);
    for (const path of ['/one', '/two', '/three']) {
      held.client.write(get(path));
      await held.until(new RegExp(`"url":"${path}"`));
      for (const socket of application.sockets) socket.destroy();
    }
    await held.leave();
  });

  it('has upgrades that are none taken for ordinary requests', async () => {
    const more = 'Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n';
    assert.match((await tell(application.spec, [get('/x', more)])).text, /^HTTP\/1\.1 400 /);
    const { text } = await say(application.spec, [get('/x', 'Connection: Upgrade\r\nUpgrade: h2c\r\n')]);
    assert.match(text, /^HTTP\/1\.1 200 /);
    assert.equal(last().headers.upgrade, undefined);
  });

  it('is cut in the middle of its answer, and the client knows that it was', async () => {
    const held = await open(application.spec);
    held.client.write(get('/large'));
    await held.until(/HTTP\/1\.1 200/);
    held.host.cut({ code: 'locked', message: 'on leave' });
    const outcome = await held.session.done;
    assert.equal(outcome.kind, 'cut');
    assert.ok(held.got.text.length < 40_000_000);
    held.client.destroy();
    await eventually(() => application.streaming.size === 0);
  });

  it('is answered with 401 where the certificate has expired meanwhile', async () => {
    const held = await open(application.spec);
    held.client.write(get('/silent'));
    await eventually(() => application.seen.length === 1);
    held.host.cut({ code: 'expired', message: 'your certificate has expired: run psh login' });
    await held.until(/^HTTP\/1\.1 401 Unauthorized\r\n[^]*run psh login/);
    await held.session.done;
  });
});
