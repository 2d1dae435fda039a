import assert from 'node:assert/strict';
import { testPassword, type TestCluster } from '../../../../test/support/cluster.js';
import { acceptInvite, createUser, getInvite } from '../../../src/api/contract/index.js';
import { totpCode } from '../../../src/identity/index.js';
import { reader, startLines } from '../../cluster/line-world.js';
import { TestClock } from '../../../../test/support/clock.js';
import { TestBrowser } from './browser.js';

const sessionCookie = '__Host-postern';

describe('the pages of a cluster', () => {
  const clock = new TestClock();
  let cluster: TestCluster;
  before(async () => {
    cluster = await startLines({
      clock,
      roles: [reader(), { name: 'none' }],
      users: { ann: { roles: ['reader'] }, ned: { roles: ['none'] } },
    });
  });
  after(() => cluster[Symbol.asyncDispose]());
  beforeEach(() => clock.advance(120_000));

  const browser = (from?: string): TestBrowser => new TestBrowser(cluster, from);

  it('lead from anywhere to the login, and from the login to the launcher', async () => {
    const ann = browser();
    for (const [path, target] of [
      ['/', '/web/'],
      ['/web', '/web/'],
      ['/web/', '/web/login'],
    ] as const) {
      const { status, headers } = await ann.get(path);
      assert.deepEqual([status, headers.location], [303, target]);
    }
    const done = await ann.login({ user: 'ann', password: testPassword });
    assert.deepEqual([done.status, done.headers.location], [303, '/web/']);
    const launcher = await ann.get('/web/');
    assert.equal(launcher.status, 200);
    assert.match(launcher.body, /<th scope="row">one<\/th>/);
    assert.match(launcher.body, /env=test/);
    const again = await ann.get('/web/login');
    assert.deepEqual([again.status, again.headers.location], [303, '/web/']);
  });

  it('give a cookie that scripts, other hosts and other sites do not get', async () => {
    const { headers } = await browser().login({ user: 'ann', password: testPassword });
    const cookie = headers['set-cookie']?.find((one) => one.startsWith(`${sessionCookie}=`));
    assert.match(cookie ?? '', /^__Host-postern=s[\w-]{43}; Path=\/; Secure; HttpOnly; SameSite=Lax$/);
  });

  it('show nothing to whom no role lets in', async () => {
    const ned = browser();
    await ned.login({ user: 'ned', password: testPassword });
    const { body } = await ned.get('/web/');
    assert.match(body, /Your roles open nothing here/);
    assert.doesNotMatch(body, /env=test/);
  });

  it('let their user out', async () => {
    const ann = browser();
    await ann.login({ user: 'ann', password: testPassword });
    const value = ann.cookies.get(sessionCookie) ?? '';
    const { status, headers } = await ann.post('/web/logout', { token: await ann.token('/web/') });
    assert.deepEqual([status, headers.location], [303, '/web/login']);
    assert.equal(ann.cookies.has(sessionCookie), false);
    ann.cookies.set(sessionCookie, value);
    assert.equal((await ann.get('/web/')).headers.location, '/web/login');
  });

  it('say what was wrong with a login, and give no secret back', async () => {
    const wrong = 'not the password of ann';
    const { status, body } = await browser().login({ user: 'ann', password: wrong });
    assert.equal(status, 401);
    assert.match(body, /The user name or the password is wrong\./);
    assert.match(body, /value="ann"/);
    assert.doesNotMatch(body, /not the password/);
  });

  it('ask for the code of those who have enrolled a device', async () => {
    const name = 'tom';
    const { token } = await cluster.admin.call(createUser, { name, roles: ['reader'], traits: {} });
    const { totp } = await cluster.admin.call(getInvite, { token });
    await cluster.admin.call(acceptInvite, { token, password: testPassword, code: totpCode(totp.secret, clock.now()) });
    await cluster.seen();
    clock.advance(60_000);
    const tom = browser();
    const asked = await tom.login({ user: name, password: testPassword });
    assert.equal(asked.status, 401);
    assert.match(asked.body, /Enter the code of your authenticator application\./);
    const code = totpCode(totp.secret, clock.now());
    const spaced = `${code.slice(0, 3)} ${code.slice(3)}`;
    assert.equal((await tom.login({ user: name, password: testPassword, code: spaced })).status, 303);
    const { fields } = await cluster.event({ user: name, types: ['user.login'] });
    assert.deepEqual([fields['mfa'], fields['via']], ['tom/totp', 'web']);
  });

  it('let somebody with a one-time password choose another one', async () => {
    const name = 'uma';
    const password = 'abcd-efgh-jkmn-pqrs';
    await cluster.running.auth.users.createWithOneTimePassword(
      { name, roles: ['reader'], traits: {} },
      password,
      'test',
    );
    await cluster.seen();
    const uma = browser();
    const asked = await uma.login({ user: name, password });
    assert.equal(asked.status, 401);
    assert.match(asked.body, /<h1>Choose a password<\/h1>/);
    const chosen = { user: name, password, newPassword: testPassword };
    const typo = await uma.login({ ...chosen, repeated: `${testPassword}!` });
    assert.equal(typo.status, 400);
    assert.match(
      typo.body,
      /The two new passwords are not the same\.[^]*<h1>Choose|<h1>Choose[^]*The two new passwords/,
    );
    const short = await uma.login({ ...chosen, newPassword: 'short', repeated: 'short' });
    assert.match(short.body, /A password has at least 12 characters\./);
    assert.equal((await uma.login({ ...chosen, repeated: testPassword })).status, 303);
    assert.equal((await uma.get('/web/')).status, 200);
    assert.equal((await browser().login({ user: name, password: testPassword })).status, 303);
  });

  it('go on to where their user wanted to go', async () => {
    const { headers } = await browser().login(
      { user: 'ann', password: testPassword },
      `/web/login?next=${encodeURIComponent('/web/launch?a=b')}`,
    );
    assert.equal(headers.location, '/web/launch?a=b');
  });

  const strict = ['/web/login', '/web/', '/web/no/such/page', '/web/postern.css', '/'];
  for (const path of strict)
    it(`allow nothing from elsewhere, no script and no frame: ${path}`, async () => {
      const { headers } = await browser().get(path);
      const policy = String(headers['content-security-policy']);
      assert.match(policy, /default-src 'none'/);
      assert.match(policy, /frame-ancestors 'none'/);
      assert.doesNotMatch(policy, /script-src|unsafe/);
      assert.equal(headers['x-content-type-options'], 'nosniff');
      assert.equal(headers['referrer-policy'], 'same-origin');
      assert.equal(headers['strict-transport-security'], undefined);
    });

  it('have no script, no style in the page, and nothing from another host', async () => {
    const ann = browser();
    const login = await ann.get('/web/login');
    await ann.login({ user: 'ann', password: testPassword });
    for (const { body } of [login, await ann.get('/web/')])
      assert.doesNotMatch(body, /<script|style=|\son\w+=|(href|src)="(https?:)?\/\//);
  });

  it('have a style sheet that is kept, at an address of its content', async () => {
    const { body } = await browser().get('/web/login');
    const path = /href="(\/web\/postern\.css\?v=[0-9a-f]+)"/.exec(body)?.[1] ?? '';
    const { status, headers } = await browser().get(path);
    assert.deepEqual([status, headers['content-type']], [200, 'text/css; charset=utf-8']);
    assert.equal(headers['cache-control'], 'max-age=86400');
  });

  it('say readably that there is no such page', async () => {
    const { status, body } = await browser().get('/web/nothing');
    assert.equal(status, 404);
    assert.match(body, /<h1>Not found<\/h1>/);
  });

  it('leave what programs ask for alone', async () => {
    const { status, body } = await browser().get('/v1/cluster');
    assert.equal(status, 200);
    assert.equal((JSON.parse(body) as { name: string }).name, cluster.cluster);
  });
});
