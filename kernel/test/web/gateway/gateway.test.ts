import assert from 'node:assert/strict';
import { X509Certificate } from 'node:crypto';
import { once } from 'node:events';
import { readFile, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import tls from 'node:tls';
import { until, type TestCluster } from '../../../../test/support/cluster.js';
import { enter, home } from '../sessions/web-world.js';
import { app, apps, AppWorld, certify, clusterName as name } from './app-world.js';
import { ask, cookieIn, head, locationIn, say, upgrade } from './raw-browser.js';

describe('the gateway of browsers', () => {
  let world: AppWorld;
  let cluster: TestCluster;
  let session: string;
  before(async () => {
    world = await AppWorld.start();
    ({ cluster } = world);
    await writeFile(join(world.files, 'launch.js'), 'export {};\n');
    await symlink('/etc/hostname', join(world.files, 'out.txt'));
    session = await enter(cluster, 'ann');
  });
  after(() => world[Symbol.asyncDispose]());

  const main: AppWorld['main'] = (...asked) => world.main(...asked);
  const at: AppWorld['at'] = (...asked) => world.at(...asked);
  const visit: AppWorld['visit'] = (...asked) => world.visit(...asked);

  describe('for WebSockets to resources', () => {
    const bridge = (path: string, cookie: string, fields: Record<string, string> = {}) =>
      say(
        cluster,
        name,
        head(`GET ${path}`, {
          host: name,
          origin: `https://${name}`,
          cookie: `a=1; __Host-postern=${cookie}`,
          ...upgrade,
          ...fields,
        }),
        /\}\n|\r\n\r\n.*\n/,
      );

    it('relays bytes to the session, which is reached by its own ALPN name and sees no cookie of ours', async () => {
      const cookie = session;
      const { status, stream, all } = await bridge('/web/pages/wiki/desk?x=1', cookie);
      assert.equal(status, 101);
      assert.match(all(), /\{"alpn":"postern-web","url":"\/desk\?x=1","cookie":"a=1"\}/);
      stream.write('ping!');
      await until(() => all().endsWith('ping!'));
      const { user, fields } = await cluster.event({ types: ['session.start'] });
      assert.deepEqual([user, fields['via']], ['ann', 'web']);
      stream.destroy();
    });

    it('ends with the session of the browser', async () => {
      const cookie = await enter(cluster, 'ann');
      const { stream, status } = await bridge('/web/pages/wiki/', cookie);
      assert.equal(status, 101);
      await cluster.running.auth.web.logout(cookie, home);
      await until(() => stream.destroyed || stream.readableEnded);
    });

    it('withstands a cross-site WebSocket', async () => {
      const cookie = session;
      for (const origin of [
        'https://evil.test',
        'null',
        `http://${name}`,
        `https://${app}`,
        `https://${name}.evil.test`,
      ])
        assert.equal((await bridge('/web/pages/wiki/', cookie, { origin })).status, 403, origin);
    });

    it('refuses who is not logged in, what is not there, and what the user may not see', async () => {
      const cookie = session;
      assert.equal((await bridge('/web/pages/wiki/', 'sAAAA')).status, 401);
      assert.equal((await bridge('/web/pages/none/', cookie)).status, 404);
      assert.equal((await bridge('/web/none/wiki/', cookie)).status, 404);
      assert.equal((await bridge('/web/pages/books/', cookie)).status, 403);
    });
  });

  describe('for pages of plugins', () => {
    it('places the element of the plugin in a page with a strict policy', async () => {
      const cookie = session;
      const page = await main('/web/pages/wiki/', { cookie: `__Host-postern=${cookie}` });
      assert.equal(page.status, 200);
      assert.match(page.body, /<pages-launch resource="wiki" user="ann" principals="" socket="\/web\/pages\/wiki\/">/);
      assert.match(page.head, /script-src 'self' 'wasm-unsafe-eval';/);
      assert.equal(locationIn(await main('/web/pages/wiki/')), '/web/login?next=%2Fweb%2Fpages%2Fwiki%2F');
      assert.equal((await main('/web/pages/books/', { cookie: `__Host-postern=${cookie}` })).status, 404);
    });

    it('serves files by their hash', async () => {
      const file = await main('/web/pages/assets/launch.js');
      assert.equal(file.status, 200);
      assert.match(file.head, /content-type: text\/javascript/i);
      const etag = /etag: (.*)/i.exec(file.head)?.[1]?.trim() ?? '';
      assert.equal((await main('/web/pages/assets/launch.js', { 'if-none-match': etag })).status, 304);
    });

    it('withstands path traversal of assets', async () => {
      for (const path of ['../package.json', '..%2fpackage.json', '%2e%2e/x.json', 'a//launch.js', '.x.js', 'out.txt'])
        assert.equal((await main(`/web/pages/assets/${path}`)).status, 404, path);
    });
  });

  describe('at the hosts of applications', () => {
    it('sends a browser to the login and back, and then passes its requests on', async () => {
      const { entered, cookie } = await visit(session);
      assert.equal(entered && locationIn(entered), '/a?b=c');
      const answer = await at(app, '/a?b=c', {
        cookie: `own=1; __Host-postern-app=${cookie}`,
        'x-forwarded-for': '203.0.113.9',
        'postern-user': 'root',
      });
      assert.equal(answer.status, 200);
      assert.match(answer.body, /"url":"\/a\?b=c"/);
      assert.match(answer.body, /"own=1"/);
      assert.match(answer.body, new RegExp(`"source":"${home}"`));
      assert.doesNotMatch(answer.body, /__Host|203\.0|root/);
      const stolen = await at(app, '/steal', { cookie: `__Host-postern-app=${cookie}` });
      assert.match(stolen.head, /own=1/);
      assert.doesNotMatch(stolen.head, /__Host/);
    });

    it('passes WebSockets on', async () => {
      const { cookie } = await visit(session);
      const fields = { host: app, origin: `https://${app}`, cookie: `__Host-postern-app=${cookie}`, ...upgrade };
      const { status, stream, all } = await say(cluster, app, head('GET /ws', fields), /\}\n/);
      assert.equal(status, 101);
      stream.write('echo?');
      await until(() => all().endsWith('echo?'));
      stream.destroy();
      const foreign = await say(
        cluster,
        app,
        head('GET /ws', { ...fields, origin: `https://shop.${apps}` }),
        /\r\n\r\n/,
      );
      assert.equal(foreign.status, 403);
      foreign.stream.destroy();
    });

    it('ends with a logout', async () => {
      const own = await enter(cluster, 'ann');
      const { cookie } = await visit(own);
      await cluster.running.auth.web.logout(own, home);
      const answer = await at(app, '/', { cookie: `__Host-postern-app=${cookie}` });
      assert.equal(answer.status, 303);
      assert.match(locationIn(answer), /^https:\/\/cluster\.test\/web\/launch\?/);
    });

    it('denies an application that the user may not see with a page', async () => {
      const { sent } = await visit(session, `books.${apps}`);
      assert.equal(sent.status, 403);
      assert.match(sent.body, /role="alert"/);
    });

    it('withstands replay of a code', async () => {
      const { back, nonce, cookie } = await visit(session);
      assert.notEqual(cookie, '');
      const again = await at(app, back, { cookie: `__Host-postern-nonce=${nonce}` });
      assert.equal(again.status, 401);
    });

    it('withstands login CSRF: a code that was made for another browser', async () => {
      const begun = await at(app, '/');
      const launch = new URL(locationIn(begun));
      const cookie = session;
      const sent = await main(`${launch.pathname}${launch.search}`, { cookie: `__Host-postern=${cookie}` });
      const back = locationIn(sent).slice(`https://${app}`.length);
      const other = cookieIn(await at(app, '/'), '__Host-postern-nonce') ?? '';
      assert.equal((await at(app, back, { cookie: `__Host-postern-nonce=${other}` })).status, 401);
      assert.equal((await at(app, back)).status, 401);
    });

    it('withstands the cookie of one application at another', async () => {
      const { cookie } = await visit(session);
      for (const value of [cookie, session])
        assert.equal((await at(`shop.${apps}`, '/', { cookie: `__Host-postern-app=${value}` })).status, 303);
    });

    it('withstands cross-site requests', async () => {
      const { cookie } = await visit(session);
      const own = { cookie: `__Host-postern-app=${cookie}`, host: app };
      const post = (fields: Record<string, string>) =>
        ask(cluster, app, head('POST /', { ...own, 'content-length': '0', ...fields }));
      assert.equal((await post({ origin: 'https://evil.test' })).status, 403);
      assert.equal((await post({ 'sec-fetch-site': 'same-site' })).status, 403);
      assert.equal((await post({ origin: `https://${app}`, 'sec-fetch-site': 'same-origin' })).status, 200);
      const image = { 'sec-fetch-site': 'cross-site', 'sec-fetch-mode': 'no-cors' };
      assert.equal((await at(app, '/', { ...own, ...image })).status, 403);
      const link = { 'sec-fetch-site': 'same-site', 'sec-fetch-mode': 'navigate' };
      for (const [into, status] of [
        ['document', 200],
        ['iframe', 403],
        ['object', 403],
      ] as const)
        assert.equal((await at(app, '/', { ...own, ...link, 'sec-fetch-dest': into })).status, status, into);
    });

    it('withstands open redirects', async () => {
      for (const path of ['//evil.test', '/\\evil.test'])
        assert.equal(new URL(locationIn(await at(app, path))).searchParams.get('next') ?? '/', '/', path);
    });
  });

  describe('with another certificate in its files', () => {
    it('shows it to who comes from then on, and keeps the one it has while the files do not fit', async () => {
      const shown = async (hostname: string): Promise<string> => {
        const socket = await cluster.open(home);
        const stream = tls.connect({
          socket,
          servername: hostname,
          rejectUnauthorized: false,
          ALPNProtocols: ['h2', 'http/1.1'],
        });
        await once(stream, 'secureConnect');
        const { raw } = stream.getPeerCertificate();
        stream.destroy();
        return raw.toString('base64');
      };
      const before = await shown(name);
      const fitting = await readFile(join(world.files, 'web.key'), 'utf8');
      await writeFile(join(world.files, 'web.key'), '');
      await until(() => cluster.log.some(({ message }) => message.includes('could not be read again')), 30_000);
      assert.equal(await shown(name), before);
      await writeFile(join(world.files, 'web.key'), fitting);
      const { raw } = new X509Certificate(await certify(world.files, 'later'));
      for (const hostname of [name, app])
        await until(async () => (await shown(hostname)) === raw.toString('base64'), 30_000);
      assert.equal((await main('/web/login')).status, 200);
    }).timeout(90_000);
  });

  describe('under attack', () => {
    it('answers 421 where TLS and HTTP name different hosts', async () => {
      for (const [sni, host] of [
        [name, app],
        [app, name],
        [app, `shop.${apps}`],
        [name, 'evil.test'],
      ] as const)
        assert.equal((await ask(cluster, sni, head('GET /', { host }))).status, 421, `${sni} ${host}`);
    });

    it('withstands request smuggling', async () => {
      const { cookie } = await visit(session);
      const own = `Host: ${app}\r\nCookie: __Host-postern-app=${cookie}\r\n`;
      for (const rest of [
        'Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET /smuggled HTTP/1.1\r\n\r\n',
        'Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n0\r\n\r\n',
        'Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n',
        'Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n',
        'Content-Length: 1\r\nContent-Length: 2\r\n\r\nab',
        'Content-Length: +1\r\n\r\na',
        'X: a\nHost: evil\r\n\r\n',
        'X: a\r\n folded\r\n\r\n',
        `Host: ${app}\r\n\r\n`,
      ]) {
        const answer = await ask(cluster, app, `POST / HTTP/1.1\r\n${own}${rest}`);
        assert.doesNotMatch(answer.body, /smuggled/, JSON.stringify(rest));
        if (!rest.startsWith('X: a\r\n')) assert.equal(answer.status, 400, JSON.stringify(rest));
      }
    });

    it('withstands oversized and too many headers', async () => {
      assert.equal((await main('/', { x: 'a'.repeat(40_000) })).status, 431);
      const many = Object.fromEntries(Array.from({ length: 200 }, (_, index) => [`x-${index}`, 'a']));
      assert.equal((await main('/', many)).status, 431);
    });

    it('forgets a browser that leaves without a word', async () => {
      const open = (): number => process.getActiveResourcesInfo().filter((name) => name === 'TCPSocketWrap').length;
      const before = open();
      for (const hostname of [app, name]) {
        const socket = await cluster.open(home);
        const stream = tls.connect({ socket, servername: hostname, rejectUnauthorized: false });
        await once(stream, 'secureConnect');
        stream.destroy();
      }
      await until(() => open() <= before);
    });

    it('does not proxy for anybody', async () => {
      assert.equal((await ask(cluster, name, head('GET http://evil.test/', { host: name }))).status, 400);
      assert.equal((await ask(cluster, name, head('CONNECT evil.test:443', { host: name }))).status, 0);
    });
  });
});
