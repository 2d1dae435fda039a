import assert from 'node:assert/strict';
import type { InputOf } from '../../src/api/contract/endpoint.js';
import {
  createLock,
  deleteDocument,
  deleteLock,
  deleteUser,
  endSession,
  resetUser,
  updateUser,
} from '../../src/api/contract/index.js';
import { until, type TestCluster } from '../../../test/support/cluster.js';
import type { TestLogin } from '../../../test/support/login.js';
import { hello, type LineClient } from './line-client.js';
import { endOf, reader, sessionOf, startLines } from './line-world.js';

interface Someone {
  readonly user: string;
  readonly role: string;
  readonly login: TestLogin;
}

interface Open extends Someone {
  readonly client: LineClient;
  readonly session: string;
}

describe('a session that runs', () => {
  let cluster: TestCluster;
  let fresh: Someone[];

  before(async function () {
    this.timeout(30_000);
    cluster = await startLines({ users: {} });
    // All at once, since each of them waits for the log.
    fresh = await Promise.all(Array.from({ length: 19 }, (_, index) => someone(index)));
  });
  after(() => cluster[Symbol.asyncDispose]());

  /** A user with a role of its own. */
  async function someone(index: number): Promise<Someone> {
    const [user, role] = [`user${index}`, `role${index}`];
    await cluster.put({ kind: 'role', ...reader(role) });
    await cluster.addUser(user, { roles: [role] });
    return { user, role, login: await cluster.login(user) };
  }

  /** A user of this test alone, in a session. */
  async function open(resource = 'one'): Promise<Open> {
    const one = fresh.pop();
    assert.ok(one);
    const [client, answer] = await hello(cluster, one.login, { resource });
    assert.equal(answer, 'ok hello');
    return { client, session: await sessionOf(client), ...one };
  }

  /** That a session is cut quickly, with a word and an event; what it was told. */
  async function cut({ client, session }: Open, act: () => Promise<unknown>, code: string): Promise<string> {
    const word = client.next();
    const began = performance.now();
    await act();
    const said = (await word) ?? '';
    const took = performance.now() - began;
    assert.ok(said.startsWith(`no ${code} `), said);
    // The promise is two seconds; this machine may be busy.
    assert.ok(took < 2000, `${took} ms`);
    const end = await endOf(cluster, session);
    assert.deepEqual([end.fields['reason'], end.fields['code']], ['cut', code]);
    assert.equal(said, `no ${code} ${String(end.fields['message'])}`);
    assert.equal(await client.next(), undefined);
    return said;
  }

  async function again({ login }: Open, want: RegExp): Promise<void> {
    const [client, answer] = await hello(cluster, login);
    assert.match(answer ?? '', want);
    client[Symbol.dispose]();
  }

  it('is cut by a lock on its resource, which nobody reaches until it is lifted', async () => {
    await cluster.put({ kind: 'lines', name: 'two', labels: { env: 'test' } });
    const [one, other] = [await open('two'), await open()];
    let id = '';
    const lock = async (): Promise<void> => {
      ({ id } = await cluster.admin.call(createLock, { target: { resource: 'lines/two' }, message: 'it is moved' }));
    };
    assert.match(await cut(one, lock, 'locked'), /lines\/two.*it is moved/);
    const [late, refused] = await hello(cluster, other.login, { resource: 'two' });
    assert.match(refused ?? '', /^no locked .*it is moved/);
    // Whoever is somewhere else, or comes there, notices nothing.
    assert.equal(await other.client.ask('id'), `ok ${other.session}`);
    await again(other, /^ok hello/);
    await cluster.admin.call(deleteLock, { id });
    await cluster.seen();
    const [back, answer] = await hello(cluster, other.login, { resource: 'two' });
    assert.equal(answer, 'ok hello');
    for (const client of [late, back, other.client]) client[Symbol.dispose]();
  });

  const locks: readonly [string, (one: Open) => InputOf<typeof createLock>['target']][] = [
    ['user', ({ user }) => ({ user })],
    ['role', ({ role }) => ({ role })],
    ['certificate', ({ login }) => ({ serial: login.identity.serial.toUpperCase() })],
  ];
  for (const [what, target] of locks)
    it(`is cut by a lock on its ${what}, which lets nobody in again until it is lifted`, async () => {
      const one = await open();
      const other = await open();
      let id = '';
      const lock = async (): Promise<void> => {
        ({ id } = await cluster.admin.call(createLock, { target: target(one), message: 'call us' }));
      };
      assert.match(await cut(one, lock, 'locked'), /call us/);
      await again(one, /^no locked .*call us/);
      assert.equal(await other.client.ask('say still here'), 'ok still here');
      await cluster.admin.call(deleteLock, { id });
      await cluster.seen();
      await again(one, /^ok hello/);
      other.client[Symbol.dispose]();
    });

  it('is let go on once a lock that was made for a while has ended', async () => {
    const one = await open();
    const target = { user: one.user };
    await cut(one, () => cluster.admin.call(createLock, { target, ttl: 1 }), 'locked');
    await until(async () => {
      const [client, answer] = await hello(cluster, one.login);
      client[Symbol.dispose]();
      return answer === 'ok hello';
    });
  });

  it('is cut when its role is taken from the user', async () => {
    const one = await open();
    const act = () => cluster.admin.call(updateUser, { name: one.user, roles: ['reader'] });
    assert.match(await cut(one, act, 'expired'), /psh login/);
    await again(one, /^no expired .*psh login/);
  });

  it('is cut when its role is deleted', async () => {
    const one = await open();
    await cut(one, () => cluster.admin.call(deleteDocument, { kind: 'role', name: one.role }), 'access_denied');
    await again(one, /^no access_denied /);
  });

  it('is cut when its role allows it no more', async () => {
    const one = await open();
    const act = () => cluster.put({ kind: 'role', ...reader(one.role), allow: {} });
    await cut(one, act, 'access_denied');
  });

  it('is cut when another role of its user begins to deny', async () => {
    const one = await open();
    const deny = { lines: { labels: { env: 'test' } } };
    await cut(one, () => cluster.put({ kind: 'role', ...reader(one.role), deny }), 'access_denied');
  });

  it('is cut when its user is disabled, and the certificate stays worthless when the user is enabled', async () => {
    const one = await open();
    const disable = (disabled: boolean) => cluster.admin.call(updateUser, { name: one.user, disabled });
    await cut(one, () => disable(true), 'unauthenticated');
    await again(one, /^no unauthenticated /);
    await disable(false);
    await cluster.seen();
    await again(one, /^no expired /);
  });

  it('is cut when its user is reset', async () => {
    const one = await open();
    await cut(one, () => cluster.admin.call(resetUser, { name: one.user }), 'expired');
  });

  it('is cut when its user is deleted, and does not come back with a new user of the same name', async () => {
    const one = await open();
    await cut(one, () => cluster.admin.call(deleteUser, { name: one.user }), 'unauthenticated');
    await again(one, /^no unauthenticated /);
    await cluster.addUser(one.user, { roles: [one.role] });
    await again(one, /^no (expired|unauthenticated) /);
  });

  it('is cut when its resource is removed', async () => {
    await cluster.put({ kind: 'lines', name: 'brief' });
    const one = await open('brief');
    await cut(one, () => cluster.admin.call(deleteDocument, { kind: 'lines', name: 'brief' }), 'not_found');
  });

  it('is cut when its resource gets labels that its roles do not allow, and by nothing else that changes', async () => {
    await cluster.put({ kind: 'lines', name: 'moved', labels: { env: 'test' } });
    const one = await open('moved');
    const allow = { lines: { labels: { env: 'test' }, users: ['reader'] } };
    await cluster.put({ kind: 'role', name: one.role, allow });
    await cluster.put({ kind: 'lines', name: 'moved', labels: { env: 'test', team: 'a' } });
    assert.equal(await one.client.ask('say here'), 'ok here');
    const act = () => cluster.put({ kind: 'lines', name: 'moved', labels: { env: 'production' } });
    await cut(one, act, 'access_denied');
  });

  it('is ended by an administrator, who may say why', async () => {
    const one = await open();
    const act = () => cluster.admin.call(endSession, { id: one.session, message: 'maintenance' });
    assert.match(await cut(one, act, 'unavailable'), /maintenance/);
    await again(one, /^ok hello/);
  });
});
