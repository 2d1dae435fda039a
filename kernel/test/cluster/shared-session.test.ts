import assert from 'node:assert/strict';
import { defineProtocol, definePlugin, type Plugin } from '@postern/plugin-sdk';
import { createLock } from '../../src/api/contract/index.js';
import { type TestCluster } from '../../../test/support/cluster.js';
import { hello, type LineClient } from './line-client.js';
import { lines, LineSession } from './line-protocol.js';
import { count, endOf, reader, sessionOf, startLines } from './line-world.js';

const shared = defineProtocol({
  ...lines,
  session: { per: 'certificate', idleSeconds: 0.3 },
  recordings: { ...lines.recordings, journal: { title: 'Journal', format: 'lines', shared: true } },
});
const plugin: Plugin = definePlugin(shared, { agent: async () => ({ Session: LineSession }) });

describe('a session of many connections', () => {
  let cluster: TestCluster;
  const open: LineClient[] = [];

  async function connect(...how: Parameters<typeof hello>): ReturnType<typeof hello> {
    const connected = await hello(...how);
    open.push(connected[0]);
    return connected;
  }

  before(async () => {
    cluster = await startLines({
      plugins: [plugin],
      roles: [reader(), reader('single', { options: { max_connections: 1 } })],
      users: { ann: { roles: ['reader'] }, sam: { roles: ['single'] } },
    });
  });
  afterEach(() => {
    for (const client of open.splice(0)) client[Symbol.dispose]();
  });
  after(() => cluster[Symbol.asyncDispose]());

  it('has one id, one start and one end, for all connections of a certificate', async () => {
    const login = await cluster.login('ann');
    const clients = await Promise.all([1, 2, 3].map(() => connect(cluster, login)));
    const ids = await Promise.all(clients.map(([client]) => sessionOf(client)));
    assert.equal(new Set(ids).size, 1);
    const [session = ''] = ids;
    for (const [client] of clients) await client.send('bye');
    await endOf(cluster, session);
    const types = (await cluster.events({ session })).map(({ type }) => type);
    assert.deepEqual(types, ['session.start', 'session.end']);
  });

  it('goes on without a connection for a time, and begins anew after it', async () => {
    const login = await cluster.login('ann');
    const visit = async (): Promise<string> => {
      const [client] = await connect(cluster, login);
      const session = await sessionOf(client);
      await client.send('bye');
      assert.equal(await client.next(), undefined);
      return session;
    };
    const first = await visit();
    assert.equal(await visit(), first);
    await endOf(cluster, first);
    assert.notEqual(await visit(), first);
  });

  it('is another one for another certificate, and from another address', async () => {
    const login = await cluster.login('ann');
    const ids = new Set<string>();
    for (const [who, from] of [
      [login, '192.0.2.1'],
      [login, '192.0.2.2'],
      [await cluster.login('ann'), '192.0.2.1'],
    ] as const) {
      const [client] = await connect(cluster, who, { from });
      ids.add(await sessionOf(client));
    }
    assert.equal(ids.size, 3);
  });

  it('writes one shared recording, which one connection does not end for the others', async () => {
    const login = await cluster.login('ann');
    const [[one], [two]] = [await connect(cluster, login), await connect(cluster, login)];
    for (const client of [one, two]) assert.equal(await client.ask('record journal'), 'ok journal');
    assert.equal(await one.ask('out first'), 'ok 5');
    assert.equal(await one.ask('stop'), 'ok stopped');
    await one.send('bye');
    assert.equal(await two.ask('out second'), 'ok 6');
    const session = await sessionOf(two);
    await two.send('bye');
    await endOf(cluster, session);
    const completed = await cluster.events({ session, types: ['recording.completed'] });
    assert.equal(completed.length, 1);
  });

  it('lets every connection record for itself where a recording is not shared', async () => {
    const login = await cluster.login('ann');
    const [[one], [two]] = [await connect(cluster, login), await connect(cluster, login)];
    for (const client of [one, two]) assert.equal(await client.ask('record screen'), 'ok screen');
    const session = await sessionOf(one);
    for (const client of [one, two]) await client.send('bye');
    await endOf(cluster, session);
    assert.equal((await cluster.events({ session, types: ['recording.completed'] })).length, 2);
  });

  it('counts once towards the sessions that a role allows', async () => {
    const login = await cluster.login('sam');
    assert.equal((await connect(cluster, login))[1], 'ok hello');
    assert.equal((await connect(cluster, login))[1], 'ok hello');
    const [, answer] = await connect(cluster, await cluster.login('sam'));
    assert.match(answer ?? '', /^no limit_exceeded/);
  });

  it('decides each connection, and a denied one changes nothing', async () => {
    const login = await cluster.login('ann');
    const [client] = await connect(cluster, login);
    const session = await sessionOf(client);
    const [, answer] = await connect(cluster, login, { user: 'root' });
    assert.match(answer ?? '', /^no access_denied/);
    assert.equal(await sessionOf(client), session);
  });

  it('is cut by a lock with all its connections, and without any', async () => {
    const login = await cluster.login('ann');
    const [[one], [two], [three]] = [
      await connect(cluster, login),
      await connect(cluster, login),
      await connect(cluster, login, { from: '192.0.2.9' }),
    ];
    const sessions = [await sessionOf(one), await sessionOf(three)];
    // Of this one no connection is left when the lock comes.
    await three.send('bye');
    assert.equal(await three.next(), undefined);
    await cluster.admin.call(createLock, { target: { serial: login.identity.serial }, message: 'stolen' });
    for (const client of [one, two]) assert.match((await client.next()) ?? '', /^no locked/);
    for (const session of sessions) assert.equal((await endOf(cluster, session)).fields['reason'], 'cut');
  });

  it('is ended with its agent, also while it has no connection', async () => {
    await using other = await startLines({ plugins: [plugin] });
    const login = await other.login('ann');
    const [[leaves], [stays]] = [await connect(other, login, { from: '192.0.2.3' }), await connect(other, login)];
    await leaves.send('bye');
    await leaves.next();
    await other.running.agent?.[Symbol.asyncDispose]();
    assert.match((await stays.next()) ?? '', /^no unavailable/);
    assert.equal(await count(other, 'session.start'), 2);
    assert.equal(await count(other, 'session.end'), 2);
  });
});
