import assert from 'node:assert/strict';
import { testPassword, type TestCluster } from '../../../test/support/cluster.js';
import { PosternError } from '@postern/plugin-sdk';
import type { TestLogin } from '../../../test/support/login.js';
import type { ApiClient } from '../../src/api/index.js';
import {
  acceptInvite,
  addDevice,
  confirmDevice,
  createLock,
  getCluster,
  getMe,
  listDevices,
  listResources,
  removeDevice,
  resetUser,
} from '../../src/api/contract/index.js';
import { totpCode } from '../../src/identity/index.js';
import { reader, startLines } from '../cluster/line-world.js';

const minute = 60_000;
const password = testPassword;

describe('a device that shows codes', () => {
  let cluster: TestCluster;
  const users = ['ann', 'ben', 'cat', 'dan', 'eve', 'fay', 'gil', 'hal', 'ida', 'joe', 'kim'];
  before(async () => {
    cluster = await startLines({
      roles: [reader(), reader('careful', { options: { require_mfa: true } })],
      users: {
        ...Object.fromEntries(users.map((name) => [name, { roles: ['reader'] }])),
        sam: { roles: ['careful'] },
      },
    });
    nobody = cluster.api();
    await nobody.call(getCluster, {});
  });
  after(() => cluster[Symbol.asyncDispose]());
  beforeEach(() => cluster.clock.advance(2 * minute));

  /** Calls the API without a certificate. */
  let nobody: ApiClient;
  const api = (): ApiClient => nobody;
  /** Calls it as a user. */
  async function own<T>(login: TestLogin, call: (client: ApiClient) => Promise<T>): Promise<T> {
    const client = cluster.api(login);
    try {
      return await call(client);
    } finally {
      await client[Symbol.asyncDispose]();
    }
  }
  const codeOf = (secret: string): string => totpCode(secret, cluster.clock.now());
  /** A code that was not used, since it is of another step. */
  const nextCodeOf = (secret: string): string => {
    cluster.clock.advance(minute);
    return codeOf(secret);
  };
  /** Adds a device, by a code of another where there is one, and resolves with its seed. */
  async function enrol(user: string, device: string, code?: string): Promise<string> {
    const offer = await api().call(addDevice, { user, password, device, ...(code !== undefined && { code }) });
    await api().call(confirmDevice, { user, token: offer.token, code: codeOf(offer.secret) });
    await cluster.seen();
    return offer.secret;
  }
  const refused = (code: string) => (cause: unknown) => PosternError.is(cause) && cause.code === code;

  it('counts once a code of it was confirmed, and not before', async () => {
    const { token, secret, uri } = await api().call(addDevice, { user: 'ann', password, device: 'phone' });
    assert.match(uri, new RegExp(`^otpauth://totp/.*secret=${secret}`));
    await cluster.login('ann');
    await api().call(confirmDevice, { user: 'ann', token, code: codeOf(secret) });
    await assert.rejects(cluster.login('ann'), refused('mfa_required'));
    const login = await cluster.login('ann', { code: nextCodeOf(secret) });
    assert.deepEqual(
      (await own(login, (client) => client.call(listDevices, {}))).map(({ name }) => name),
      ['phone'],
    );
    const { fields } = await cluster.event({ types: ['user.mfa_added'] });
    assert.deepEqual(fields, { name: 'ann', device: 'ann/phone' });
    const logins = await cluster.events({ user: 'ann', types: ['user.login'] });
    assert.equal(logins.at(-1)?.fields['mfa'], 'ann/phone');
  });

  it('may be one of several, each of which is enough', async () => {
    const phone = await enrol('ben', 'phone');
    const token = await enrol('ben', 'token', nextCodeOf(phone));
    for (const secret of [phone, token]) await cluster.login('ben', { code: nextCodeOf(secret) });
  });

  it('shows codes that work once, for whatever they are used', async () => {
    const secret = await enrol('cat', 'phone');
    const code = nextCodeOf(secret);
    await cluster.login('cat', { code });
    const again = { user: 'cat', password, code };
    await assert.rejects(api().call(addDevice, { ...again, device: 'other' }), refused('unauthenticated'));
    await assert.rejects(api().call(removeDevice, { ...again, device: 'phone' }), refused('unauthenticated'));
  });

  it('is neither added nor removed without the password and a code, whatever certificate there is', async () => {
    const secret = await enrol('dan', 'phone');
    const login = await cluster.login('dan', { code: nextCodeOf(secret) });
    const other = { user: 'dan', device: 'other' };
    const code = nextCodeOf(secret);
    await own(login, async (client) => {
      const add = (proof: { password: string; code?: string }) => client.call(addDevice, { ...other, ...proof });
      await assert.rejects(add({ password }), refused('mfa_required'));
      await assert.rejects(add({ password, code: '000000' }), refused('unauthenticated'));
      await assert.rejects(add({ password: 'wrong', code }), refused('unauthenticated'));
      const remove = client.call(removeDevice, { user: 'dan', device: 'phone', password });
      await assert.rejects(remove, refused('mfa_required'));
      assert.equal((await client.call(listDevices, {})).length, 1);
    });
  });

  it('is tried five times, after which the user is locked out as after failed logins', async () => {
    const secret = await enrol('eve', 'phone');
    const wrong = { user: 'eve', password, device: 'other', code: 'no' };
    for (let count = 0; count < 5; count++)
      await assert.rejects(api().call(addDevice, wrong), refused('unauthenticated'));
    const right = { user: 'eve', password, code: nextCodeOf(secret) };
    await assert.rejects(api().call(removeDevice, { ...right, device: 'phone' }), refused('locked'));
    await assert.rejects(cluster.login('eve', { code: right.code }), refused('locked'));
  });

  it('is confirmed with five codes at most, within ten minutes, and only by who began it last', async () => {
    const begin = () => api().call(addDevice, { user: 'fay', password, device: 'phone' });
    const confirm = (token: string, code: string) => api().call(confirmDevice, { user: 'fay', token, code });
    const guessed = await begin();
    for (const want of ['invalid_argument', 'invalid_argument', 'invalid_argument', 'invalid_argument', 'not_found'])
      await assert.rejects(confirm(guessed.token, '000'), refused(want));
    await assert.rejects(confirm(guessed.token, codeOf(guessed.secret)), refused('not_found'));
    const late = await begin();
    cluster.clock.advance(11 * minute);
    await assert.rejects(confirm(late.token, codeOf(late.secret)), refused('not_found'));
    const [replaced, last] = [await begin(), await begin()];
    await assert.rejects(confirm(replaced.token, codeOf(replaced.secret)), refused('not_found'));
    await assert.rejects(
      api().call(confirmDevice, { user: 'gil', token: last.token, code: codeOf(last.secret) }),
      refused('not_found'),
    );
    const code = codeOf(last.secret);
    const both = await Promise.allSettled([confirm(last.token, code), confirm(last.token, code)]);
    assert.deepEqual(both.map(({ status }) => status).sort(), ['fulfilled', 'rejected']);
  });

  it('attack: that somebody began with a stolen password is not added once the account was reset and accepted', async () => {
    const { store } = cluster.running.state;
    const offer = await api().call(addDevice, { user: 'kim', password, device: 'thief' });
    const entry = (await store.range('enrolments/')).find(({ key }) => key.includes('kim'));
    assert.ok(entry);
    const { token } = await cluster.admin.call(resetUser, { name: 'kim' });
    // As where the offer was being written while the reset ended all offers.
    await store.commit({ put: [{ key: entry.key, value: entry.value }] });
    await api().call(acceptInvite, { token, password });
    const confirming = api().call(confirmDevice, { user: 'kim', token: offer.token, code: codeOf(offer.secret) });
    await assert.rejects(confirming, /start anew/);
    await cluster.login('kim');
  });

  it('that was begun before a reset is not added after it', async () => {
    const { token, secret } = await api().call(addDevice, { user: 'hal', password, device: 'thief' });
    await cluster.admin.call(resetUser, { name: 'hal' });
    await assert.rejects(api().call(confirmDevice, { user: 'hal', token, code: codeOf(secret) }), refused('not_found'));
  });

  it('ends the certificates that were issued before when it is removed', async () => {
    const phone = await enrol('ida', 'phone');
    const login = await cluster.login('ida', { code: nextCodeOf(phone) });
    await own(login, (client) => client.call(getMe, {}));
    const code = nextCodeOf(phone);
    await assert.rejects(api().call(removeDevice, { user: 'ida', password, code, device: 'x' }), refused('not_found'));
    await api().call(removeDevice, { user: 'ida', password, code: nextCodeOf(phone), device: 'phone' });
    await cluster.seen();
    await assert.rejects(
      own(login, (client) => client.call(getMe, {})),
      refused('expired'),
    );
    await cluster.login('ida');
    const { fields } = await cluster.event({ types: ['user.mfa_removed'] });
    assert.deepEqual(fields, { name: 'ida', device: 'ida/phone' });
  });

  it('has a name of its own, and there are eight at most', async () => {
    let last = await enrol('joe', 'd1');
    await assert.rejects(
      api().call(addDevice, { user: 'joe', password, code: nextCodeOf(last), device: 'd1' }),
      refused('already_exists'),
    );
    for (let count = 2; count <= 8; count++) last = await enrol('joe', `d${count}`, nextCodeOf(last));
    await assert.rejects(
      api().call(addDevice, { user: 'joe', password, code: nextCodeOf(last), device: 'd9' }),
      refused('limit_exceeded'),
    );
    for (const device of ['', 'a b', '../x', 'a/b', 'x'.repeat(33)])
      await assert.rejects(api().call(addDevice, { user: 'joe', password, device }), refused('invalid_argument'));
  });

  it('that a lock is about opens nothing, while another of the same name does', async () => {
    const secret = await enrol('kim', 'phone');
    await cluster.admin.call(createLock, { target: { mfa_device: 'kim/phone' } });
    await cluster.seen();
    await assert.rejects(cluster.login('kim', { code: nextCodeOf(secret) }), refused('locked'));
    const proof = { user: 'kim', password, code: nextCodeOf(secret) };
    await assert.rejects(api().call(addDevice, { ...proof, device: 'other' }), refused('locked'));
    await assert.rejects(cluster.login('ann'), refused('mfa_required'));
  });

  it('is what roles may demand: it can be added by whom they demand it of, and the last one stays', async () => {
    const bare = await cluster.login('sam');
    const list = (client: ApiClient) => client.call(listResources, {});
    await assert.rejects(own(bare, list), {
      code: 'mfa_required',
      message: /add one with psh mfa add/,
    });
    const phone = await enrol('sam', 'phone');
    const login = await cluster.login('sam', { code: nextCodeOf(phone) });
    assert.equal((await own(login, list)).length, 1);
    const remove = (device: string, code: string) => api().call(removeDevice, { user: 'sam', password, code, device });
    await assert.rejects(remove('phone', nextCodeOf(phone)), { code: 'conflict', message: /is the last one/ });
    const token = await enrol('sam', 'token', nextCodeOf(phone));
    const codes = [nextCodeOf(phone), codeOf(token)] as const;
    const both = await Promise.allSettled([remove('phone', codes[0]), remove('token', codes[1])]);
    assert.deepEqual(both.map(({ status }) => status).sort(), ['fulfilled', 'rejected']);
  });
});
