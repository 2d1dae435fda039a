import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { until, type TestCluster } from '../../../test/support/cluster.js';
import { createLock, deleteUser, listResources } from '../../src/api/contract/index.js';
import { hello } from '../cluster/line-client.js';
import { readyz, startLines } from '../cluster/line-world.js';
import { remoteBackends, type RemoteServer } from './remote-backends.js';

/** What is above the store is tested on one backend, unless there is time. */
const full = process.env['POSTERN_TEST_FULL'] === '1';

for (const [index, backend] of remoteBackends.entries())
  describe(`a cluster whose state is in ${backend.name}`, function () {
    this.timeout(90_000);
    let server: RemoteServer;
    let directory: string;
    let names = 0;

    before(async function () {
      server = await backend.start(this);
      directory = await mkdtemp(join(tmpdir(), 'postern-clusters-'));
    });
    after(async () => {
      await server?.[Symbol.asyncDispose]();
      if (directory) await rm(directory, { recursive: true, force: true });
    });

    const configuration = (name: string) => ({
      auth: { wrapping_key: join(directory, name, 'wrapping.key') },
      storage: backend.configuration(server, name),
    });

    const start = (name: string, data: string, more: Parameters<typeof startLines>[0] = {}): Promise<TestCluster> =>
      startLines({ configuration: configuration(name), data: join(directory, data), ...more });

    /** Another Auth Service of the same cluster, on a machine of its own. */
    const another = (name: string, data: string) => start(name, data, { roles: [], resources: [], users: {} });

    it('logs people in, shows them what there is, and lets them in; and goes on after a restart', async () => {
      const name = `single_${names++}`;
      for (const time of ['first', 'second']) {
        await using cluster = await start(name, name, time === 'first' ? {} : { users: {} });
        const login = await cluster.login('ann');
        const resources = await cluster.api(login).call(listResources, {});
        assert.deepEqual(
          resources.map((resource) => resource.name),
          ['one'],
        );
        const [client, answer] = await hello(cluster, login);
        using _ = client;
        assert.equal(answer, 'ok hello');
        assert.equal(await client.ask('say hi'), 'ok hi');
        assert.match((await readyz(cluster)).body, /^ok +storage: ready$/m);
      }
    });

    it('may have two Auth Services that start at once: one set of authorities, roles and users', async () => {
      const name = `pair_${names++}`;
      const both = await Promise.all([another(name, `${name}a`), another(name, `${name}b`)]);
      const [one, other] = both;
      await using _one = one;
      await using _other = other;
      assert.equal(one.pin, other.pin);
      await one.put({ kind: 'role', name: 'reader', allow: { lines: { labels: { '*': '*' }, users: ['reader'] } } });
      await one.put({ kind: 'lines', name: 'one', labels: {} });
      await one.addUser('ann', { roles: ['reader'] });
      await until(() => other.running.state.view.user('ann') !== 'absent');
      const login = await other.login('ann');
      // A certificate of the one is good at the other.
      for (const cluster of both) {
        const [client, answer] = await hello(cluster, login);
        assert.equal(answer, 'ok hello');
        client[Symbol.dispose]();
      }
    });

    if (index > 0 && !full) return;

    it('cuts sessions at the one for a lock that was set at the other, and counts failed logins at both', async () => {
      const name = `locks_${names++}`;
      await using one = await start(name, `${name}a`);
      await using other = await another(name, `${name}b`);
      await one.addUser('ben', { roles: ['reader'] });
      await until(() => other.running.state.view.user('ben') !== 'absent');
      const [client, answer] = await hello(other, await other.login('ann'));
      assert.equal(answer, 'ok hello');
      await one.admin.call(createLock, { target: { user: 'ann' }, message: 'enough' });
      while ((await client.next()) !== undefined);
      for (let attempt = 0; attempt < 5; attempt++)
        await assert.rejects(([one, other][attempt % 2] as TestCluster).login('ben', { password: 'wrong' }));
      for (const cluster of [one, other]) await assert.rejects(cluster.login('ben'), { code: 'locked' });
      await one.admin.call(deleteUser, { name: 'ben' });
      await until(() => other.running.state.view.user('ben') === 'absent');
    });

    it('keeps its sessions while the storage is away, says what is wrong, and goes on when it is back', async () => {
      const name = `outage_${names++}`;
      await using cluster = await start(name, name);
      const login = await cluster.login('ann');
      const [client] = await hello(cluster, login);
      using _ = client;
      await server.kill();
      try {
        assert.equal(await client.ask('say still here'), 'ok still here');
        const began = performance.now();
        await assert.rejects(cluster.login('ann'));
        assert.ok(performance.now() - began < 30_000);
        await until(async () => (await readyz(cluster)).status === 503, 20_000);
        assert.match((await readyz(cluster)).body, /^failed storage: /m);
      } finally {
        await server.begin();
      }
      await until(async () => (await readyz(cluster)).status === 200, 20_000);
      await cluster.addUser('cat', { roles: ['reader'] });
      assert.ok(await cluster.login('cat'));
      assert.equal(await client.ask('say still here'), 'ok still here');
    });

    it('refuses a second process on one data directory, which would not meet the first at the storage', async () => {
      const name = `directory_${names++}`;
      await using _ = await start(name, name);
      await assert.rejects(another(name, name), (error: Error) => /already in use/.test(String(error.cause)));
    });
  });
