import assert from 'node:assert/strict';
import { PosternError } from '@postern/plugin-sdk';
import { deleteUser, listUsers, unlockUser } from '../../src/api/contract/index.js';
import type { TestCluster } from '../../../test/support/cluster.js';
import { reader, startLines } from '../cluster/line-world.js';

const minute = 60_000;

describe('somebody who guesses passwords', () => {
  let cluster: TestCluster;
  let count = 0;
  before(async () => {
    cluster = await startLines({ roles: [reader()], users: {} });
  });
  after(() => cluster[Symbol.asyncDispose]());
  // Every test is in a minute of its own, as far as the limits of a minute are concerned.
  beforeEach(() => cluster.clock.advance(2 * minute));

  async function newUser(): Promise<string> {
    const name = `user${count++}`;
    await cluster.addUser(name, { roles: ['reader'] });
    return name;
  }

  /** What a guess is answered. */
  async function guess(user: string, password = 'not the password', from?: string): Promise<string> {
    try {
      await cluster.login(user, { password, ...(from !== undefined && { from }) });
      return 'in';
    } catch (cause) {
      const { code, message } = PosternError.from(cause);
      return `${code}: ${message.replace(/[\d-]+T[\d:.]+Z/, 'TIME')}`;
    }
  }

  const wrong = 'unauthenticated: the user name or the password is wrong';
  const locked = 'locked: too many failed logins: locked until TIME';

  async function lockOut(user: string): Promise<readonly string[]> {
    const answers: string[] = [];
    for (let index = 0; index < 6; index++) answers.push(await guess(user));
    return answers;
  }

  it('is locked out after five failures, and the right password does not get in for half an hour', async () => {
    const user = await newUser();
    assert.deepEqual(await lockOut(user), [wrong, wrong, wrong, wrong, wrong, locked]);
    for (const after of [0, 15, 14]) {
      cluster.clock.advance(after * minute);
      await assert.rejects(cluster.login(user), { code: 'locked' });
    }
    cluster.clock.advance(1.1 * minute);
    await cluster.login(user);
    assert.equal(await guess(user), wrong);
  });

  it('does not lengthen a lockout by going on, and has five attempts again after it', async () => {
    const user = await newUser();
    await lockOut(user);
    for (let index = 0; index < 6; index++) {
      cluster.clock.advance(4.5 * minute);
      assert.equal(await guess(user), locked);
    }
    cluster.clock.advance(3.5 * minute);
    assert.deepEqual(await lockOut(user), [wrong, wrong, wrong, wrong, wrong, locked]);
  });

  it('learns nothing about whether there is such a user: an unknown name is answered and locked out alike', async () => {
    const user = await newUser();
    assert.deepEqual(await lockOut('nobody-of-that-name'), await lockOut(user));
    const events = await cluster.events({ types: ['user.locked_out'] });
    assert.deepEqual(
      events.slice(-2).map(({ fields }) => fields['name']),
      ['nobody-of-that-name', user],
    );
  });

  it('does not get more than five guesses by making them all at once', async () => {
    const user = await newUser();
    const before = (await cluster.events({ types: ['user.locked_out'] })).length;
    const addresses = Array.from({ length: 10 }, (_, index) => `198.51.100.${index + 1}`);
    const answers = await Promise.all(addresses.map((from) => guess(user, 'not the password', from)));
    assert.deepEqual(answers.sort(), [...Array<string>(5).fill(locked), ...Array<string>(5).fill(wrong)]);
    assert.equal(
      await guess(user, undefined, '198.51.100.99'),
      'rate_limited: too many logins: wait a minute and try again',
    );
    cluster.clock.advance(minute);
    await assert.rejects(cluster.login(user), { code: 'locked' });
    assert.equal((await cluster.events({ types: ['user.locked_out'] })).length, before + 1);
  });

  it('is forgotten where the user logs in between, and half an hour after the last failure', async () => {
    const user = await newUser();
    const four = async (): Promise<void> => {
      for (let index = 0; index < 4; index++) assert.equal(await guess(user), wrong);
      cluster.clock.advance(minute);
    };
    await four();
    await cluster.login(user);
    await four();
    cluster.clock.advance(30 * minute);
    await four();
    await cluster.login(user);
  });

  it('leaves an event for each attempt, with the reason and the address, and without a password', async () => {
    const user = await newUser();
    for (let index = 0; index < 6; index++) await guess(user, 'a guessed passphrase', '203.0.113.7');
    const events = await cluster.events({ types: ['user.login_failed', 'user.locked_out'] });
    const own = events.filter(({ fields }) => fields['name'] === user);
    assert.deepEqual(
      own.map(({ type, fields }) => fields['reason'] ?? type),
      [...Array<string>(4).fill('wrong password'), 'user.locked_out', 'wrong password', 'locked out'],
    );
    assert.ok(own.every(({ source }) => source === '203.0.113.7'));
    assert.ok(!JSON.stringify(own).includes('guessed passphrase'));
  });

  it('is let in again by an administrator, who sees that somebody is locked out', async () => {
    const user = await newUser();
    await lockOut(user);
    const shown = (await cluster.admin.call(listUsers, {})).find(({ name }) => name === user);
    assert.ok(shown?.lockedOutUntil);
    assert.equal((await cluster.admin.call(unlockUser, { name: user })).lockedOutUntil, undefined);
    await cluster.login(user);
  });

  it('does not lock out a new user of a name that was locked out and deleted', async () => {
    const user = await newUser();
    await lockOut(user);
    await cluster.admin.call(deleteUser, { name: user });
    await cluster.addUser(user, { roles: ['reader'] });
    await cluster.login(user);
  });
});
