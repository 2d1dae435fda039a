import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { definePlugin, defineProtocol, type Opening, type Plugin, type ProxyModule } from '@postern/plugin-sdk';
import type { ApiClient } from '@postern/kernel/api';
import { createLock, deleteLock, explainAccess, listRecordings, listResources } from '@postern/kernel/api/contract';
import { findProgram, needProgram } from '@postern/plugin-sdk/testing';
import { standardPlugins } from '../../config/src/standard.js';
import { LineClient } from '../../kernel/test/cluster/line-client.js';
import { lines, LineSession } from '../../kernel/test/cluster/line-protocol.js';
import { RedisServer } from '../../plugins/redis/test/support/redis-server.js';
import { TestCluster } from '../support/cluster.js';
import type { TestLogin } from '../support/login.js';

/** A name that nobody can have written a special case for. */
const unheardOf = (): string => `p${randomBytes(6).toString('hex')}`;

const agent = async () => ({ Session: LineSession });

/** Opens with KNOCK before TLS, and says so first where it is greeted. */
const knocking: ProxyModule = {
  recognise: (head) => ('KNOCK'.startsWith(head.toString('latin1', 0, 5)) ? (head.length < 5 ? 'more' : 'yes') : 'no'),
  async open(opening: Opening) {
    await opening.read(5);
    return { kind: 'tls' };
  },
  async greet(opening: Opening) {
    await opening.write(Buffer.from('KNOCK'));
    return { kind: 'tls' };
  },
};

/** Eight plugins, each of which declares something that the others do not. */
const ways: Readonly<Record<string, (id: string) => Plugin>> = {
  'that is found by name': (id) => definePlugin(defineProtocol({ ...lines, id }), { agent }),
  'with a local socket': (id) =>
    definePlugin(defineProtocol({ ...lines, id, transport: { kind: 'tls', alpn: [id], forward: 'socket' } }), {
      agent,
    }),
  'with a local port': (id) =>
    definePlugin(defineProtocol({ ...lines, id, transport: { kind: 'tls', forward: 'port' } }), { agent }),
  'whose clients ask for TLS in clear': (id) =>
    definePlugin(defineProtocol({ ...lines, id }), { agent, proxy: async () => knocking }),
  'with one session for a certificate': (id) =>
    definePlugin(defineProtocol({ ...lines, id, session: { per: 'certificate', idleSeconds: 0.2 } }), { agent }),
  'with classes of statements': (id) =>
    definePlugin(defineProtocol({ ...lines, id, statements: { classes: { read: 'Reads.', write: 'Writes.' } } }), {
      agent,
    }),
  'with recordings of packets': (id) =>
    definePlugin(
      defineProtocol({
        ...lines,
        id,
        recordings: { ...lines.recordings, screen: { title: 'Screen', format: 'packets' } },
      }),
      { agent },
    ),
  'whose server speaks first': (id) =>
    definePlugin(defineProtocol({ ...lines, id }), {
      agent,
      proxy: async () => ({ ...knocking, recognise: () => 'no' }),
    }),
};

describe('eight plugins of names that nobody has heard of', function () {
  this.timeout(60_000);
  const named = Object.entries(ways).map(([way, make]) => {
    const id = unheardOf();
    return { way, id, plugin: make(id) };
  });
  let cluster: TestCluster;
  let login: TestLogin;
  let api: ApiClient;

  before(async () => {
    const access = (labels: object) =>
      Object.fromEntries(named.map(({ id }) => [id, { labels, users: ['reader'] }] as const));
    cluster = await TestCluster.start({
      plugins: named.map(({ plugin }) => plugin),
      roles: [{ name: 'all', allow: access({ env: 'test' }) }],
      resources: named.flatMap(({ id }) => [
        { kind: id, name: 'one', labels: { env: 'test' } },
        { kind: id, name: 'other', labels: { env: 'prod' } },
      ]),
      users: { ann: { roles: ['all'] } },
    });
    login = await cluster.login('ann');
    api = cluster.api(login);
    await api.call(listResources, {});
  });
  after(() => cluster[Symbol.asyncDispose]());

  /** Everything that clients and administrators see of one of them, with its name taken out. */
  async function seen(id: string): Promise<unknown> {
    const told: unknown[] = [];
    const client = await hello(id, 'one', 'reader');
    for (const line of [
      'say something',
      'require reader',
      'require root',
      'record journal',
      'out text',
      'become reader',
    ])
      told.push([line, await client.ask(line)]);
    const session = ((await client.ask('id')) ?? '').slice(3);
    told.push(['listed', (await api.call(listResources, { kind: id })).map(({ name }) => name)]);
    told.push([
      'explained',
      (await cluster.admin.call(explainAccess, { user: 'ann', kind: id, name: 'other', ask: { user: 'reader' } })).text,
    ]);
    for (const [resource, user] of [
      ['other', 'reader'],
      ['one', 'root'],
    ] as const) {
      const denied = await hello(id, resource, user, false);
      told.push([resource, user, await denied.next()]);
      denied[Symbol.dispose]();
    }
    const lock = await cluster.admin.call(createLock, { target: { user: 'ann' }, message: 'stop' });
    told.push(['locked', await client.next(), await client.next()]);
    await cluster.admin.call(deleteLock, { id: lock.id });
    await cluster.seen();
    await cluster.event({ session, types: ['session.end'] });
    const events = await cluster.events({ session });
    told.push(events.map(({ type, fields }) => [type, fields['reason'], fields['code'], fields['text']]));
    const recordings = await cluster.admin.call(listRecordings, { session });
    told.push(recordings.map(({ kind }) => kind));
    return JSON.parse(JSON.stringify(told).replaceAll(id, 'KIND').replaceAll(session, 'SESSION')) as unknown;
  }

  async function hello(id: string, resource: string, user: string, isWelcome = true): Promise<LineClient> {
    const client = new LineClient(await cluster.connect(id, resource, login));
    await client.send(`hello ${user}`);
    if (isWelcome) assert.equal(await client.next(), 'ok hello');
    return client;
  }

  let first: unknown;
  for (const { way, id } of named)
    it(`is served like any other: one ${way}`, async () => {
      const now = await seen(id);
      first ??= now;
      assert.deepEqual(now, first);
    });

  it('and the first of them was decided, cut, recorded and told of', () => {
    const text = JSON.stringify(first);
    for (const part of ['ok something', 'error access_denied', 'no locked', 'KIND.said', 'session.end', 'journal'])
      assert.ok(text.includes(part), `${part} in ${text}`);
  });
});

describe('the standard plugins under names that nobody has heard of', function () {
  this.timeout(60_000);
  const names = new Map(standardPlugins.map(({ protocol }) => [protocol.id, unheardOf()]));
  const renamed = standardPlugins.map((plugin) => {
    const id = names.get(plugin.protocol.id) ?? '';
    return { ...plugin, protocol: { ...plugin.protocol, id } };
  });
  const nameOf = (id: string): string => names.get(id) ?? assert.fail(id);

  it('serve and audit real clients all the same', async function () {
    needProgram(this, 'redis-server', 'redis-server');
    await using server = await RedisServer.start(findProgram('redis-server') ?? '');
    const { host, port } = server;
    await using cluster = await TestCluster.start({
      plugins: renamed,
      roles: [
        { name: 'all', allow: { [nameOf('redis')]: { labels: { '*': '*' }, users: ['default'], commands: ['ping'] } } },
      ],
      resources: [
        {
          kind: nameOf('redis'),
          name: 'cache',
          spec: { host, port, tls: { mode: 'disable' }, auth: { method: 'none' } },
        },
      ],
      users: { ann: { roles: ['all'] } },
    });
    using client = new LineClient(await cluster.connect(nameOf('redis'), 'cache', await cluster.login('ann')));
    assert.equal(await client.ask('PING\r'), '+PONG');
    assert.match((await client.ask('FLUSHALL\r')) ?? '', /^-NOPERM ann may not use p[0-9a-f]{12}\/cache/);
    await cluster.event({ types: [`${nameOf('redis')}.command`], user: 'ann' });
  });
});
