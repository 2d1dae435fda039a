import assert from 'node:assert/strict';
import { testPassword, type TestCluster } from '../../../../test/support/cluster.js';
import { TestClock } from '../../../../test/support/clock.js';
import { readCookie } from '../../../src/web/pages/cookies.js';
import { html } from '../../../src/web/pages/html.js';
import { nextPage } from '../../../src/web/pages/next-page.js';
import { reader, startLines } from '../../cluster/line-world.js';
import { TestBrowser } from './browser.js';

const sessionCookie = '__Host-postern';
const ann = { user: 'ann', password: testPassword };

describe('somebody who attacks the pages', () => {
  const clock = new TestClock();
  let cluster: TestCluster;
  before(async () => {
    cluster = await startLines({ clock, roles: [reader()], users: { ann: { roles: ['reader'] } } });
  });
  after(() => cluster[Symbol.asyncDispose]());
  beforeEach(() => clock.advance(120_000));

  it('fixes no session: a cookie that was there before is never the one after the login, and is over', async () => {
    const attacker = new TestBrowser(cluster);
    await attacker.login(ann);
    const planted = attacker.cookies.get(sessionCookie) ?? '';
    for (const value of [planted, `s${'A'.repeat(43)}`]) {
      const victim = new TestBrowser(cluster);
      const token = await victim.token('/web/login');
      victim.cookies.set(sessionCookie, value);
      assert.equal((await victim.post('/web/login', { token, ...ann })).status, 303);
      assert.notEqual(victim.cookies.get(sessionCookie), value);
      assert.equal((await victim.get('/web/')).status, 200);
    }
    assert.equal((await attacker.get('/web/')).headers.location, '/web/login');
  });

  const foreign: Readonly<Record<string, Readonly<Record<string, string>>>> = {
    'another site': { origin: 'https://evil.example', 'sec-fetch-site': 'cross-site' },
    'another site, in an old browser': { origin: 'https://evil.example', 'sec-fetch-site': '' },
    'an application of the cluster': { origin: 'https://app.cluster.test', 'sec-fetch-site': 'same-site' },
    'a page without an origin': { origin: 'null', 'sec-fetch-site': 'cross-site' },
    'plain HTTP on the same host': { origin: 'http://cluster.test', 'sec-fetch-site': '' },
    'a program that says neither': { origin: '', 'sec-fetch-site': '' },
    'a page that lies in one of the two': { origin: 'https://cluster.test', 'sec-fetch-site': 'cross-site' },
    'a form of another type': { 'content-type': 'text/plain' },
  };
  for (const [name, headers] of Object.entries(foreign))
    it(`logs nobody in or out by a form from ${name}`, async () => {
      const browser = new TestBrowser(cluster);
      const token = await browser.token('/web/login');
      const login = await browser.post('/web/login', { token, ...ann }, { headers });
      assert.equal(login.status, 403);
      assert.equal(browser.cookies.has(sessionCookie), false);
      assert.equal((await browser.post('/web/login', { token, ...ann })).status, 303);
      const out = { token: await browser.token('/web/') };
      assert.equal((await browser.post('/web/logout', out, { headers })).status, 403);
      assert.equal((await browser.get('/web/')).status, 200);
    });

  it('logs nobody in or out by the token of another browser, or by none', async () => {
    const mine = new TestBrowser(cluster);
    const token = await mine.token('/web/login');
    const victim = new TestBrowser(cluster);
    await victim.get('/web/login');
    for (const wrong of [token, '', 'x']) {
      const { status, body } = await victim.post('/web/login', { token: wrong, ...ann });
      assert.equal(status, 403);
      assert.match(body, /This form is too old or was not made for this browser: reload the page\./);
    }
    await victim.login(ann);
    assert.equal((await victim.post('/web/logout', { token })).status, 403);
    assert.equal((await victim.get('/web/')).status, 200);
  });

  it('logs nobody out by a link', async () => {
    const browser = new TestBrowser(cluster);
    await browser.login(ann);
    assert.equal((await browser.get('/web/logout')).status, 404);
    assert.equal((await browser.get('/web/')).status, 200);
  });

  it('has no form read that is larger than 64 kB', async () => {
    const browser = new TestBrowser(cluster);
    const token = await browser.token('/web/login');
    const { status } = await browser.post('/web/login', { token, ...ann, more: 'x'.repeat(70_000) });
    assert.equal(status, 413);
  });

  it('sees a user locked out by guesses as any other client does', async () => {
    await cluster.addUser('gus', { roles: ['reader'] });
    const browser = new TestBrowser(cluster);
    for (let guess = 0; guess < 5; guess++)
      assert.equal((await browser.login({ user: 'gus', password: 'a wrong guess' })).status, 401);
    clock.advance(61_000);
    const { status, body } = await browser.login({ user: 'gus', password: testPassword });
    assert.equal(status, 403);
    assert.match(body, /Too many failed logins: locked until/);
    assert.equal(browser.cookies.has(sessionCookie), false);
  });

  it('does not learn who exists', async () => {
    const answers = [];
    for (const user of ['ann', 'nobody']) {
      const browser = new TestBrowser(cluster);
      const { status, body } = await browser.login({ user, password: 'a wrong guess' });
      answers.push([status, body.replaceAll(user, 'USER').replace(/name="token" value="[^"]*"/, '')]);
    }
    assert.deepEqual(answers[0], answers[1]);
  });

  it('puts no markup into a page by a user name or a path', async () => {
    const text = '"><script>alert(1)</script>';
    const browser = new TestBrowser(cluster);
    const login = await browser.login({ user: text, password: 'x' });
    const path = await browser.get(`/web/login?next=${encodeURIComponent(`/web/${text}`)}`);
    const missing = await browser.get(`/web/${encodeURIComponent(text)}`);
    for (const { body } of [login, path, missing]) assert.doesNotMatch(body, /<script/);
    assert.match(login.body, /&quot;&gt;&lt;script&gt;/);
  });

  it('escapes whatever is text, everywhere', () => {
    const text = `<a href='x' title="y">&amp;`;
    const escaped = '&lt;a href=&#39;x&#39; title=&quot;y&quot;&gt;&amp;amp;';
    assert.equal(
      html`<p title="${text}">${[text, html`<b>${text}</b>`]}</p>`.text,
      `<p title="${escaped}">${escaped}<b>${escaped}</b></p>`,
    );
    assert.equal(html`${undefined}${false}${0}${[]}`.text, '0');
  });

  const elsewhere = [
    'https://evil.example/web/',
    '//evil.example/web/',
    '/\\evil.example/web/',
    '/web/../../evil',
    '/web/..//evil.example',
    '/web/%2e%2e//evil.example',
    '/web/\t/evil.example',
    '/web/ x',
    '/web/login?next=/web/login',
    '/web/logout',
    '/v1/users',
    'javascript:alert(1)',
    `/web/${'x'.repeat(5000)}`,
    '',
  ];
  for (const wanted of elsewhere)
    it(`sends nobody elsewhere after the login: ${JSON.stringify(wanted.slice(0, 40))}`, () => {
      assert.equal(nextPage(wanted), '/web/');
    });

  it('lets people go on to pages of the cluster', () => {
    for (const path of ['/web/', '/web/launch?app=a&state=b%2F', '/web/kind/name/']) assert.equal(nextPage(path), path);
  });

  it('adds no second cookie of the same name that counts', () => {
    assert.equal(readCookie('a=1; __Host-postern=x; b=2', sessionCookie), 'x');
    assert.equal(readCookie('__Host-postern=x; __Host-postern=y', sessionCookie), undefined);
    assert.equal(readCookie('__Host-postern-form=x', sessionCookie), undefined);
    assert.equal(readCookie(`a=${'x'.repeat(20_000)}; __Host-postern=x`, sessionCookie), 'x');
    assert.equal(readCookie(undefined, sessionCookie), undefined);
  });
});
