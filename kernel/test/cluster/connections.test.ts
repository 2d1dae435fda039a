import assert from 'node:assert/strict';
import { until, type TestCluster } from '../../../test/support/cluster.js';
import type { TestLogin } from '../../../test/support/login.js';
import { listSessions, updateUser } from '../../src/api/contract/index.js';
import { hello, type LineClient } from './line-client.js';
import { count, quiet, reader, startLines } from './line-world.js';

const tooMany = 'no limit_exceeded your roles allow 2 sessions at a time';

describe('the number of sessions', () => {
  let cluster: TestCluster;
  let ann: TestLogin;

  before(async () => {
    cluster = await startLines({
      roles: [
        reader('two', { options: { max_connections: 2 } }),
        reader('five', { options: { max_connections: 5, audit: 'strict' } }),
        reader(),
      ],
      users: { ann: { roles: ['two', 'five'] }, ben: { roles: ['two'] }, cat: { roles: ['reader'] } },
    });
    ann = await cluster.login('ann');
  });
  afterEach(() => quiet(cluster));
  after(() => cluster[Symbol.asyncDispose]());

  const leave = async (client: LineClient): Promise<void> => {
    await client.send('bye');
    assert.equal(await client.next(), undefined);
  };

  it('is bounded by the strictest role, for each user, and goes down when one ends', async () => {
    const denied = await count(cluster, 'session.denied');
    const [first] = await hello(cluster, ann);
    const [second] = await hello(cluster, ann);
    const [third, answer] = await hello(cluster, ann);
    assert.equal(answer, tooMany);
    assert.equal(await third.next(), undefined);
    assert.equal(await count(cluster, 'session.denied'), denied + 1);
    const [other, welcome] = await hello(cluster, await cluster.login('ben'));
    assert.equal(welcome, 'ok hello');
    await leave(first);
    await until(async () => (await sessions()) === 2);
    const [fourth, again] = await hello(cluster, ann);
    assert.equal(again, 'ok hello');
    for (const client of [second, fourth, other]) await leave(client);
  });

  it('counts all certificates of a user', async () => {
    const [first] = await hello(cluster, ann);
    const [second] = await hello(cluster, await cluster.login('ann'));
    const [third, answer] = await hello(cluster, await cluster.login('ann'));
    assert.equal(answer, tooMany);
    for (const client of [first, second]) await leave(client);
    third[Symbol.dispose]();
  });

  it('is not exceeded by many who come at the same moment, while their starts wait for the log', async () => {
    const all = await Promise.all(Array.from({ length: 12 }, () => hello(cluster, ann)));
    const welcome = all.filter(([, answer]) => answer === 'ok hello');
    assert.equal(welcome.length, 2);
    assert.deepEqual(new Set(all.map(([, answer]) => answer)), new Set(['ok hello', tooMany]));
    for (const [client] of welcome) await leave(client);
    for (const [client] of all) client[Symbol.dispose]();
  });

  it('goes down when a client vanishes, and when one is cut', async () => {
    const [first] = await hello(cluster, ann);
    const [second] = await hello(cluster, ann);
    first[Symbol.dispose]();
    await until(async () => (await sessions()) === 1);
    await cluster.admin.call(updateUser, { name: 'ann', traits: { seen: ['yes'] } });
    assert.match((await second.next()) ?? '', /^no expired /);
    await until(async () => (await sessions()) === 0);
    ann = await cluster.login('ann');
    const both = [await hello(cluster, ann), await hello(cluster, ann)];
    assert.deepEqual(
      both.map(([, answer]) => answer),
      ['ok hello', 'ok hello'],
    );
    for (const [client] of both) await leave(client);
  });

  it('may be large without a warning of leaked listeners', async () => {
    const warnings: Error[] = [];
    const note = (warning: Error): void => void warnings.push(warning);
    process.on('warning', note);
    const login = await cluster.login('cat');
    const all = await Promise.all(Array.from({ length: 40 }, () => hello(cluster, login)));
    assert.equal(await sessions(), 40);
    for (const [, answer] of all) assert.equal(answer, 'ok hello');
    for (const [client] of all) client[Symbol.dispose]();
    await until(async () => (await sessions()) === 0);
    process.off('warning', note);
    assert.deepEqual(warnings, []);
  });

  const sessions = async (): Promise<number> => (await cluster.admin.call(listSessions, {})).length;
});
