import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import type { Page } from 'playwright-core';
import { createLock, deleteLock } from '@postern/kernel/api/contract';
import { needProgram } from '@postern/plugin-sdk/testing';
import { testPassword, until } from '../support/cluster.js';
import { BrowserWorld, cookieAt, launch } from './support/browser-world.js';
import { logIn } from './support/login-page.js';
import { closed, digestOf, embed, firstEvent, request, say, submit, upload } from './support/page-scripts.js';

const sessionCookie = '__Host-postern';
const appCookie = '__Host-postern-app';

describe('Chromium at a cluster', function () {
  this.timeout(120_000);
  let world: BrowserWorld;
  const pages: Page[] = [];
  before(async function () {
    const programs = {
      chromium: needProgram(this, 'chromium', 'chromium'),
      nginx: needProgram(this, 'nginx', 'nginx'),
    };
    world = await BrowserWorld.start(programs);
  });
  after(() => world[Symbol.asyncDispose]());
  afterEach(async () => {
    for (const page of pages.splice(0)) await world.leave(page);
  });

  const kept = async (made: Promise<Page>): Promise<Page> => {
    const page = await made;
    pages.push(page);
    return page;
  };
  const alice = (): Promise<Page> => kept(world.loggedIn('alice'));
  const run = <T>(page: Page, script: string): Promise<T> => page.evaluate<T>(script);
  const socketOf = (name: string): string => world.app(name, '/echo').replace(/^https/, 'wss');

  describe('logging in', () => {
    it('says what was wrong, and then shows what the user may reach and nothing else', async () => {
      const page = await kept(world.person());
      await page.goto(world.url('/'));
      await logIn(page, 'alice', { password: 'not the password' });
      assert.match(await page.getByRole('alert').innerText(), /The user name or the password is wrong/);
      assert.equal(await page.getByLabel('Password').inputValue(), '');
      await logIn(page, 'alice');
      await page.waitForURL(world.url('/web/'));
      assert.deepEqual(await page.locator('th[scope=row]').allInnerTexts(), ['live', 'shop', 'wiki']);
      const { httpOnly, secure, sameSite, domain } = await cookieAt(page.context(), world.url('/'), sessionCookie);
      assert.deepEqual([httpOnly, secure, sameSite, domain], [true, true, 'Lax', 'access.test']);
    });

    it('asks for the code of an authenticator', async () => {
      const show = await world.enrol('tess', ['staff']);
      const page = await kept(world.person());
      await page.goto(world.url('/'));
      await logIn(page, 'tess');
      assert.match(await page.getByRole('alert').innerText(), /Enter the code of your authenticator/);
      await logIn(page, 'tess', { code: show() });
      await page.waitForURL(world.url('/web/'));
      const { fields } = await world.cluster.event({ types: ['user.login'], user: 'tess' });
      assert.match(String(fields['mfa']), /totp$/);
      assert.equal(fields['via'], 'web');
    });

    it('at an application leads back to the page that was asked for', async () => {
      const page = await kept(world.person());
      await page.goto(world.app('wiki', '/whoami?a=b#part'));
      await page.waitForURL((url) => url.pathname === '/web/login');
      await logIn(page, 'alice');
      await page.waitForURL(world.app('wiki', '/whoami?a=b*'));
      assert.match(await page.innerText('body'), /^GET \/whoami user=alice/);
    });
  });

  describe('using an application', () => {
    it('tells it who the user is, and keeps a cookie that is for its own host alone', async () => {
      const page = await alice();
      await launch(page, 'wiki');
      await page.goto(world.app('wiki', '/whoami'));
      const [, user, token = ''] = /user=(\S+) .*jwt=(\S+)/.exec(await page.innerText('body')) ?? [];
      const claims = JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString()) as object;
      assert.equal(user, 'alice');
      assert.deepEqual({ sub: 'alice', aud: 'wiki', ...claims }, claims);
      const { httpOnly, domain } = await cookieAt(page.context(), world.app('wiki', '/'), appCookie);
      assert.deepEqual([httpOnly, domain], [true, 'wiki.apps.test']);
      assert.equal(await run(page, 'document.cookie'), '');
      const start = await world.cluster.event({ types: ['session.start'], user: 'alice' });
      assert.equal(start.fields['via'], 'web');
    });

    it('carries WebSockets and server-sent events', async () => {
      const page = await alice();
      await launch(page, 'live');
      assert.equal(await run(page, say(socketOf('live'), 'hello')), 'hello');
      assert.equal(await run(page, firstEvent('/endless')), 'first');
    });

    it('carries tens of megabytes in both directions', async () => {
      const page = await alice();
      await launch(page, 'live');
      const digest = (bytes: number): string =>
        `${bytes} ${createHash('sha256').update(Buffer.alloc(bytes, 'x')).digest('hex')}`;
      assert.equal(await run(page, digestOf('/large')), digest(40_000_000));
      assert.equal(await run(page, upload('/upload', 20_000_000)), digest(20_000_000));
    });

    it('is refused with a page where no role allows it', async () => {
      const page = await alice();
      const answer = await page.goto(world.app('vault', '/'));
      assert.equal(answer?.status(), 403);
      assert.match(await page.getByRole('alert').innerText(), /may not see https\/vault/);
    });
  });

  describe('leaving', () => {
    const openSocket = async (): Promise<Page> => {
      const page = await alice();
      await launch(page, 'live');
      assert.equal(await run(page, say(socketOf('live'), 'hello')), 'hello');
      return page;
    };
    const cut = (page: Page): Promise<void> => until(async () => (await run(page, closed)) !== '');
    const isOut = async (page: Page): Promise<void> => {
      await page.goto(world.app('live', '/'));
      assert.equal(new URL(page.url()).pathname, '/web/login');
    };

    it('ends applications and their WebSockets', async () => {
      const page = await openSocket();
      const launcher = await page.context().newPage();
      await launcher.goto(world.url('/web/'));
      await launcher.getByRole('button', { name: 'Log out' }).click();
      await launcher.waitForURL(world.url('/web/login'));
      await cut(page);
      await isOut(page);
    });

    it('happens at once when a lock is made', async () => {
      const page = await openSocket();
      const { id } = await world.cluster.admin.call(createLock, { target: { user: 'alice' }, message: 'on leave' });
      await cut(page);
      await isOut(page);
      await logIn(page, 'alice');
      assert.match(await page.getByRole('alert').innerText(), /on leave/);
      await world.cluster.admin.call(deleteLock, { id });
      await world.cluster.seen();
    });
  });

  describe('attacks', () => {
    /** Not alice, who has logged in as often as anybody may in a minute. */
    const amy = (): Promise<Page> => kept(world.loggedIn('amy'));

    /** What the application was asked from now on, by method and path. */
    const watch = (): (() => readonly string[]) => {
      const from = world.live.seen.length;
      const asked = () => world.live.seen.slice(from).map(({ method, url }) => `${method} ${url}`);
      // A tab asks for its own picture when it likes.
      return () => asked().filter((one) => one !== 'GET /favicon.ico');
    };
    /** Does all that a page can do to an application of somebody who is logged in there. */
    const assail = async (page: Page): Promise<void> => {
      const target = world.app('live', '/transfer');
      assert.equal(await run(page, say(socketOf('live'), 'stolen')), 'refused');
      for (const options of [{ mode: 'no-cors' }, { mode: 'no-cors', method: 'POST' }, { method: 'PUT' }])
        await run(page, request(target, options));
      await run(page, embed(target));
      const answered = page.waitForResponse((answer) => answer.request().method() === 'POST');
      await run(page, submit(target, { to: 'mallory' }));
      assert.equal((await answered).status(), 403);
      await page.waitForURL(target);
    };

    it('withstands another site', async () => {
      const page = await amy();
      await launch(page, 'live');
      const asked = watch();
      await page.goto(world.evil.origin);
      await assail(page);
      assert.deepEqual(asked(), []);
      await page.goto(world.app('live', '/linked'));
      assert.deepEqual(asked(), ['GET /linked']);
    });

    it('withstands a neighbour, whose requests come with cookies', async () => {
      const page = await amy();
      await launch(page, 'live');
      await page.goto(world.url('/web/'));
      await launch(page, 'shop');
      const asked = watch();
      await assail(page);
      assert.deepEqual(asked(), []);
    });

    it('withstands the cookie of one application at another', async () => {
      const page = await amy();
      await launch(page, 'live');
      const { value } = await cookieAt(page.context(), world.app('live', '/'), appCookie);
      const other = await kept(world.person());
      const cookie = { name: appCookie, value, url: world.app('shop', '/'), secure: true };
      await other.context().addCookies([cookie]);
      await other.goto(world.app('shop', '/'));
      assert.equal(new URL(other.url()).pathname, '/web/login');
    });

    it('withstands login CSRF, and a logout by another site', async () => {
      const stranger = await kept(world.person());
      const page = await amy();
      for (const [victim, path, fields] of [
        [stranger, '/web/login', { user: 'bob', password: testPassword }],
        [page, '/web/logout', {}],
      ] as const) {
        await victim.goto(world.evil.origin);
        const answered = victim.waitForResponse((answer) => answer.request().method() === 'POST');
        await run(victim, submit(world.url(path), fields));
        assert.equal((await answered).status(), 403, path);
        await victim.waitForURL(world.url(path));
      }
      assert.deepEqual(await stranger.context().cookies(world.url('/')), []);
      await page.goto(world.url('/web/'));
      assert.equal(page.url(), world.url('/web/'));
    });

    it('withstands clickjacking', async () => {
      const page = await amy();
      await page.goto(world.evil.origin);
      for (const path of ['/web/', '/web/login']) {
        await run(page, embed(world.url(path)));
      }
      assert.equal(page.frames().length, 3);
      // Chromium puts a page of its own in the place of one that may not be there; until then a frame is at nothing.
      const frames = page.frames().slice(1);
      await until(() => frames.every((frame) => !['', 'about:blank'].includes(frame.url())), 30_000);
      for (const frame of frames) assert.match(frame.url(), /^chrome-error:/);
    });
  });
});
