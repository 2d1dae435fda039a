import assert from 'node:assert/strict';
import { TestCluster } from '../../../test/support/cluster.js';
import { hello } from './line-client.js';
import { linePlugin } from './line-protocol.js';

describe('a session in a whole cluster', () => {
  it('is let in, served, and recorded from its start to its end', async () => {
    await using cluster = await TestCluster.start({
      plugins: [linePlugin()],
      roles: [{ name: 'reader', allow: { lines: { labels: { '*': '*' }, users: ['reader'] } } }],
      resources: [{ kind: 'lines', name: 'one' }],
      users: { ann: { roles: ['reader'] } },
    });
    const login = await cluster.login('ann');
    const [client, answer] = await hello(cluster, login);
    assert.equal(answer, 'ok hello');
    assert.match((await client.ask('whoami')) ?? '', /^ok ann [0-9a-f]+ reader$/);
    assert.equal(await client.ask('say something'), 'ok something');
    const session = ((await client.ask('id')) ?? '').slice(3);
    await client.send('bye');
    assert.equal(await client.next(), undefined);
    await cluster.event({ session, types: ['session.end'] });
    const types = (await cluster.events({ session })).map(({ type }) => type);
    assert.deepEqual(types, ['session.start', 'lines.said', 'session.end']);
  });
});
