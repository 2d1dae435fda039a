import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { findProgram, needProgram } from '@postern/plugin-sdk/testing';
import { standardPlugins } from '../../config/src/standard.js';
import { LineClient } from '../../kernel/test/cluster/line-client.js';
import { RedisServer } from '../../plugins/redis/test/support/redis-server.js';
import { TestCluster } from '../support/cluster.js';

describe('the standard plugins under names that nobody has heard of', function () {
  this.timeout(60_000);
  const names = new Map(standardPlugins.map(({ protocol }) => [protocol.id, `p${randomBytes(6).toString('hex')}`]));
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
