import assert from 'node:assert/strict';
import { testPassword, type TestCluster } from '../../../../test/support/cluster.js';
import { TestClock } from '../../../../test/support/clock.js';
import { acceptInvite, createLock, createUser, deleteUser, getInvite } from '../../../src/api/contract/index.js';
import { totpCode } from '../../../src/identity/index.js';
import type { WebSessions } from '../../../src/web/sessions/index.js';
import { reader, startLines } from '../../cluster/line-world.js';
import { certify, enter, home, isIn, one, outcome } from './web-world.js';

const two = { kind: 'lines', name: 'two' };
const nonce = 'the nonce of a browser';

describe('somebody who attacks the sessions of browsers', () => {
  const clock = new TestClock();
  let cluster: TestCluster;
  let sessions: WebSessions;
  before(async () => {
    cluster = await startLines({
      clock,
      roles: [reader(), reader('pinned', { options: { pin_address: true } }), { name: 'none' }],
      resources: [one, two].map((resource) => ({ ...resource, labels: {} })),
      users: { ann: { roles: ['reader'] }, pia: { roles: ['pinned'] }, ned: { roles: ['none'] } },
    });
    sessions = cluster.running.auth.web;
  });
  after(() => cluster[Symbol.asyncDispose]());
  beforeEach(() => clock.advance(120_000));

  const thefts: Readonly<Record<string, (user: string) => Promise<unknown>>> = {
    'a lock': (user) => cluster.admin.call(createLock, { target: { user }, message: 'stolen', ttl: 30 }),
    'the deletion of its user': (name) => cluster.admin.call(deleteUser, { name }),
    'a password reset': (user) => cluster.running.auth.users.reset(user, 'test'),
    'a change of roles': (user) => cluster.running.auth.users.update(user, { roles: ['none'] }, 'test'),
    'the disabling of its user': (user) => cluster.running.auth.users.update(user, { disabled: true }, 'test'),
  };
  for (const [index, [name, happen]] of Object.entries(thefts).entries())
    it(`has nothing of a stolen cookie after ${name}, and no more when that is over`, async () => {
      const user = `victim${index}`;
      await cluster.addUser(user, { roles: ['reader'] });
      const cookie = await enter(cluster, user);
      const code = await sessions.appCode({ cookie, app: one, nonce, address: home });
      const app = await sessions.redeem({ code, app: one, nonce, address: home });
      assert.equal(await isIn(sessions, cookie), true);
      await happen(user);
      await cluster.seen();
      // Nobody uses the cookie: it ends by itself.
      await cluster.event({ user, types: ['user.logout'] });
      assert.equal(await isIn(sessions, cookie), false);
      assert.equal(await sessions.appSession(app, one, home), undefined);
      assert.equal(await outcome(certify(sessions, cookie)), 'unauthenticated');
      assert.equal(await outcome(certify(sessions, app)), 'unauthenticated');
      assert.equal(await outcome(sessions.resources(cookie, home)), 'unauthenticated');
      clock.advance(40_000);
      assert.equal(await isIn(sessions, cookie), false);
    });

  it('has nothing of a stolen cookie after the logout, nor of a code or an application’s cookie', async () => {
    const cookie = await enter(cluster, 'ann');
    const code = (): Promise<string> => sessions.appCode({ cookie, app: one, nonce, address: home });
    const app = await sessions.redeem({ code: await code(), app: one, nonce, address: home });
    const unused = await code();
    await sessions.logout(cookie, home);
    assert.equal(await isIn(sessions, cookie), false);
    assert.equal(await sessions.appSession(app, one, home), undefined);
    assert.equal(await outcome(sessions.redeem({ code: unused, app: one, nonce, address: home })), 'unauthenticated');
    assert.equal(await outcome(certify(sessions, app)), 'unauthenticated');
    assert.equal(await outcome(code()), 'unauthenticated');
  });

  it('has nothing of a stolen cookie elsewhere, where the roles pin the address', async () => {
    const cookie = await enter(cluster, 'pia');
    assert.equal(await isIn(sessions, cookie, '192.0.2.11'), false);
    assert.equal(await outcome(certify(sessions, cookie, { from: '192.0.2.11' })), 'unauthenticated');
    assert.equal(await isIn(sessions, cookie), true);
  });

  it('cannot choose the value of a cookie, or have one that is none looked at', async () => {
    const values = ['', 's', `s${'A'.repeat(43)}`, 'x'.repeat(10_000), `s${'/'.repeat(43)}`, '../users/ann', '\0'];
    for (const value of values) {
      assert.equal(await isIn(sessions, value), false);
      assert.equal(await sessions.appSession(value, one, home), undefined);
      assert.equal(await outcome(sessions.redeem({ code: value, app: one, nonce, address: home })), 'unauthenticated');
      await sessions.logout(value, home);
    }
    assert.notEqual(await enter(cluster, 'ann'), await enter(cluster, 'ann'));
  });

  it('finds no cookie in the store', async () => {
    const cookie = await enter(cluster, 'ann');
    const code = await sessions.appCode({ cookie, app: one, nonce, address: home });
    const app = await sessions.redeem({ code, app: one, nonce, address: home });
    const stored = JSON.stringify(await cluster.running.state.store.range('web'));
    for (const secret of [cookie, code, app, nonce]) assert.ok(!stored.includes(secret));
  });

  it('guesses no further in browsers than the lockout lets, whichever way the guesses come', async () => {
    await cluster.addUser('gus', { roles: ['reader'] });
    const web = (password: string): Promise<string> => outcome(enter(cluster, 'gus', { password }));
    const native = (password: string): Promise<string> => outcome(cluster.login('gus', { password, from: home }));
    for (const guess of [web, native, web, native, web])
      assert.equal(await guess('a wrong password'), 'unauthenticated');
    clock.advance(61_000);
    assert.equal(await web(testPassword), 'locked');
    assert.equal(await native(testPassword), 'locked');
    clock.advance(31 * 60_000);
    assert.equal(await web(testPassword), 'ok');
  });

  it('gets in once with a code of an authenticator, in whichever program', async () => {
    const name = 'tom';
    const { token } = await cluster.admin.call(createUser, { name, roles: ['reader'], traits: {} });
    const { totp } = await cluster.admin.call(getInvite, { token });
    const current = (): string => totpCode(totp.secret, clock.now());
    await cluster.admin.call(acceptInvite, { token, password: testPassword, code: current() });
    await cluster.seen();
    clock.advance(90_000);
    const code = current();
    assert.equal(await outcome(enter(cluster, name)), 'mfa_required');
    assert.equal(await outcome(enter(cluster, name, { code })), 'ok');
    assert.equal(await outcome(enter(cluster, name, { code })), 'unauthenticated');
    assert.equal(await outcome(cluster.login(name, { code })), 'unauthenticated');
  });

  it('replays no code of an application, and of two at once one gets it', async () => {
    const cookie = await enter(cluster, 'ann');
    const code = await sessions.appCode({ cookie, app: one, nonce, address: home });
    const redeem = (): Promise<string> => outcome(sessions.redeem({ code, app: one, nonce, address: home }));
    assert.deepEqual([...(await Promise.all([redeem(), redeem(), redeem()]))].sort(), [
      'ok',
      'unauthenticated',
      'unauthenticated',
    ]);
    assert.equal(await redeem(), 'unauthenticated');
  });

  const misuses = {
    'at another application': { app: two },
    'in a browser that did not ask for it': { nonce: 'another nonce' },
    'after a minute': { wait: 61_000 },
  };
  for (const [name, { app = one, nonce: shown = nonce, wait = 0 }] of Object.entries<{
    readonly app?: typeof one;
    readonly nonce?: string;
    readonly wait?: number;
  }>(misuses))
    it(`cannot use the code of an application ${name}, and it is used up by the attempt`, async () => {
      const cookie = await enter(cluster, 'ann');
      const code = await sessions.appCode({ cookie, app: one, nonce, address: home });
      clock.advance(wait);
      assert.equal(await outcome(sessions.redeem({ code, app, nonce: shown, address: home })), 'unauthenticated');
      assert.equal(await outcome(sessions.redeem({ code, app: one, nonce, address: home })), 'unauthenticated');
    });

  it('uses the cookie of one application for nothing else', async () => {
    const cookie = await enter(cluster, 'ann');
    const code = await sessions.appCode({ cookie, app: one, nonce, address: home });
    const app = await sessions.redeem({ code, app: one, nonce, address: home });
    assert.equal((await sessions.appSession(app, one, home))?.user, 'ann');
    assert.equal(await outcome(certify(sessions, app)), 'ok');
    assert.equal(await sessions.appSession(app, two, home), undefined);
    assert.equal(await sessions.appSession(cookie, one, home), undefined);
    assert.equal(await isIn(sessions, app), false);
    assert.equal(await outcome(certify(sessions, app, { resource: two })), 'unauthenticated');
    assert.equal(await outcome(sessions.resources(app, home)), 'unauthenticated');
    assert.equal(await outcome(sessions.appCode({ cookie: app, app: two, nonce, address: home })), 'unauthenticated');
    await sessions.logout(app, home);
    assert.equal(await isIn(sessions, cookie), true);
  });

  it('gets no code for an application that the user may not see', async () => {
    const cookie = await enter(cluster, 'ned');
    assert.equal(await outcome(sessions.appCode({ cookie, app: one, nonce, address: home })), 'access_denied');
    const nowhere = { kind: 'lines', name: 'nowhere' };
    assert.equal(await outcome(sessions.appCode({ cookie, app: nowhere, nonce, address: home })), 'not_found');
  });

  it('cannot fill the store with codes', async () => {
    const cookie = await enter(cluster, 'ann');
    const ask = (): Promise<string> => outcome(sessions.appCode({ cookie, app: one, nonce, address: home }));
    const outcomes = await Promise.all(Array.from({ length: 70 }, ask));
    assert.equal(outcomes.filter((each) => each === 'ok').length, 60);
    assert.equal(outcomes.filter((each) => each === 'rate_limited').length, 10);
  });

  it('ends no session by a lock of somebody else', async () => {
    const cookie = await enter(cluster, 'ann');
    await cluster.admin.call(createLock, { target: { user: 'ned' }, message: 'no', ttl: 1 });
    await cluster.seen();
    assert.equal(await isIn(sessions, cookie), true);
  });
});
