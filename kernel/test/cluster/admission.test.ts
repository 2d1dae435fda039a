import assert from 'node:assert/strict';
import type { TestCluster } from '../../../test/support/cluster.js';
import { hello, type HelloOptions } from './line-client.js';
import { reader, sessionOf, startLines } from './line-world.js';

describe('who is let in', () => {
  let cluster: TestCluster;

  before(async () => {
    cluster = await startLines({
      roles: [
        { name: 'tester', allow: { lines: { labels: { env: 'test' }, users: ['reader', 'writer'] } } },
        { name: 'no-writer', deny: { lines: { labels: { '*': '*' }, users: ['writer'] } } },
        { name: 'no-vault', deny: { lines: { labels: { secrecy: 'high' } } } },
        { name: 'nothing' },
        reader('everywhere'),
      ],
      resources: [
        { kind: 'lines', name: 'one', labels: { env: 'test' } },
        { kind: 'lines', name: 'live', labels: { env: 'production' } },
        { kind: 'lines', name: 'vault', labels: { env: 'test', secrecy: 'high' } },
      ],
      users: {
        ann: { roles: ['tester'] },
        ben: { roles: ['tester', 'no-writer', 'no-vault'] },
        cat: { roles: ['nothing'] },
        dan: { roles: ['everywhere', 'no-vault'] },
      },
    });
  });
  after(() => cluster[Symbol.asyncDispose]());

  for (const { user, options } of [
    { user: 'ann', options: { user: 'reader' } },
    { user: 'ann', options: { user: 'writer', resource: 'vault' } },
    { user: 'ben', options: { user: 'reader' } },
    { user: 'dan', options: { user: 'reader', resource: 'live' } },
  ])
    it(`lets ${user} in as ${JSON.stringify(options)}, and records start and end`, async () => {
      const [client, answer] = await hello(cluster, await cluster.login(user), options);
      assert.equal(answer, 'ok hello');
      const session = await sessionOf(client);
      await client.send('bye');
      assert.equal(await client.next(), undefined);
      const end = await cluster.event({ session, types: ['session.end'] });
      assert.equal(end.fields['reason'], 'ended');
      const [start, ...more] = await cluster.events({ session });
      assert.deepEqual([start?.type, start?.user, start?.source], ['session.start', user, '127.0.0.1']);
      assert.deepEqual(start?.fields['ask'], { user: options.user });
      assert.equal(more.length, 1);
    });

  const denials: readonly { what: string; user: string; options: HelloOptions; text: RegExp }[] = [
    { what: 'a label', user: 'ann', options: { resource: 'live' }, text: /^no access_denied \S.*/ },
    { what: 'a principal', user: 'ann', options: { user: 'root' }, text: /^no access_denied \S.*/ },
    { what: 'a denied principal', user: 'ben', options: { user: 'writer' }, text: /^no access_denied \S.*/ },
    { what: 'a denied label', user: 'ben', options: { resource: 'vault' }, text: /^no access_denied \S.*/ },
    {
      what: 'a denied label, though all is allowed',
      user: 'dan',
      options: { resource: 'vault' },
      text: /^no access_denied \S.*/,
    },
    { what: 'having no role that allows anything', user: 'cat', options: {}, text: /^no access_denied \S.*/ },
  ];
  for (const { what, user, options, text } of denials)
    it(`turns ${user} away for ${what}: in the protocol's words, and with one event`, async () => {
      const before = (await cluster.events({ types: ['session'] })).length;
      const [client, answer] = await hello(cluster, await cluster.login(user), options);
      assert.match(answer ?? '', text);
      assert.equal(await client.next(), undefined);
      const events = (await cluster.events({ types: ['session'] })).slice(before);
      assert.deepEqual(
        events.map(({ type }) => type),
        ['session.denied'],
      );
      const [denied] = events;
      assert.equal(denied?.user, user);
      assert.deepEqual(denied?.resource, { kind: 'lines', name: options.resource ?? 'one' });
      assert.equal(denied?.fields['code'], 'access_denied');
      assert.equal(answer, `no access_denied ${String(denied?.fields['message'])}`);
      assert.deepEqual(denied?.fields['ask'], { user: options.user ?? 'reader' });
    });

  it('records a later ask that is denied, and goes on', async () => {
    const [client] = await hello(cluster, await cluster.login('ben'));
    const session = await sessionOf(client);
    assert.equal(await client.ask('require writer'), 'error access_denied');
    assert.equal(await client.ask('require reader'), 'ok reader');
    const denied = await cluster.events({ session, types: ['session.denied'] });
    assert.deepEqual(
      denied.map(({ fields }) => fields['ask']),
      [{ user: 'writer' }],
    );
    await client.send('bye');
    await cluster.event({ session, types: ['session.end'] });
  });

  it('does not wait for a client that says nothing it understands', async () => {
    const before = (await cluster.events({ types: ['connection.refused'] })).length;
    const stream = await cluster.connect('lines', 'one', await cluster.login('ann'));
    stream.write('GET / HTTP/1.1\r\n');
    const chunks: string[] = [];
    for await (const chunk of stream) chunks.push(String(chunk));
    assert.match(chunks.join(''), /^no access_denied /);
    const refused = (await cluster.events({ types: ['connection.refused'] })).slice(before);
    assert.deepEqual(
      refused.map(({ fields }) => [fields['hostname'], fields['code']]),
      [['one.lines', 'protocol_violation']],
    );
  });

  it('answers for no resource that is not there', async () => {
    await assert.rejects(cluster.connect('lines', 'two', await cluster.login('ann')));
  });
});
