import assert from 'node:assert/strict';
import { createLock, getMe, listResources, putDocument, tailEvents, updateUser } from '../../src/api/contract/index.js';
import { until, type TestCluster } from '../../../test/support/cluster.js';
import { foreignCertificates } from './foreign-certificates.js';
import { startLines } from '../cluster/line-world.js';

const watching = { name: 'watcher', allow: { rules: [{ kinds: ['audit'], verbs: ['list', 'read'] }] } };

describe('somebody who watches the audit log', () => {
  let cluster: TestCluster;
  before(async () => {
    const names = ['locked', 'stripped', 'late', 'denied', 'content'];
    cluster = await startLines({
      roles: [watching, { ...watching, name: 'changing' }],
      users: Object.fromEntries(names.map((name) => [name, { roles: [name === 'denied' ? 'changing' : 'watcher'] }])),
    });
  });
  after(() => cluster[Symbol.asyncDispose]());

  /** That a stream which was open ends by itself after `act`. */
  async function ends(user: string, act: () => Promise<unknown>): Promise<void> {
    await using client = cluster.api(await cluster.login(user));
    let seen = 0;
    const reading = (async () => {
      for await (const _ of client.stream(tailEvents, { last: 5 })) seen++;
    })();
    await until(() => seen >= 5);
    await act();
    await reading;
    await assert.rejects(client.call(tailEvents, {}), /locked|disabled|expired|denies|no rule|does not allow|changed/);
  }

  it('sees no more as soon as a lock is about him', () =>
    ends('locked', () => cluster.admin.call(createLock, { target: { user: 'locked' } })));

  it('sees no more as soon as the account is disabled', () =>
    ends('stripped', () => cluster.admin.call(updateUser, { name: 'stripped', disabled: true })));

  it('sees no more as soon as the role does not allow it', () =>
    ends('denied', () => {
      const document = { kind: 'role', name: 'changing', allow: {} };
      return cluster.admin.call(putDocument, { kind: 'role', name: 'changing', document });
    }));

  it('sees no more once his certificate has expired', () =>
    ends('late', async () => cluster.clock.advance(13 * 3_600_000)));
});

describe('a caller with a certificate that must not be believed', () => {
  let cluster: TestCluster;
  before(async () => {
    cluster = await startLines();
  });
  after(() => cluster[Symbol.asyncDispose]());

  const refusals = () => cluster.events({ types: ['connection.refused'] });

  for (const [name, make] of Object.entries(foreignCertificates))
    it(`is refused with ${name}, and the log has one event for the connection`, async () => {
      const before = (await refusals()).length;
      await using client = cluster.api(await make(cluster), { from: '203.0.113.9' });
      for (const endpoint of [getMe, listResources, getMe])
        await assert.rejects(client.call(endpoint, {}), { code: /^(unauthenticated|expired|unavailable)$/ });
      const after = (await refusals()).slice(before);
      assert.deepEqual(
        after.map(({ source }) => source),
        ['203.0.113.9'],
      );
    });
});
