import assert from 'node:assert/strict';
import { until, type TestCluster } from '../../../test/support/cluster.js';
import { listSessions } from '../../src/api/contract/index.js';
import { hello } from './line-client.js';
import { endOf, heard, quiet, reader, readyz, sessionOf, startLines } from './line-world.js';

describe('what is not recorded as its role demands', () => {
  let cluster: TestCluster;
  /** Lets the Auth Service's log take events again. */
  let restore: () => void = () => {};

  before(async () => {
    cluster = await startLines({
      roles: [reader(), reader('careful', { options: { audit: 'strict' } })],
      users: { ann: { roles: ['reader'] }, stu: { roles: ['careful'] } },
      trail: { delivery: { strictTimeoutMs: 400, firstRetryMs: 20, maxRetryMs: 50, lostAfterMs: 300 } },
    });
  });
  afterEach(async () => {
    restore();
    await quiet(cluster);
  });
  after(() => cluster[Symbol.asyncDispose]());

  /** From now on the log does not answer, as if it were out of reach. */
  function silence(): void {
    const { auditLog } = cluster.running.state;
    const append = auditLog.append.bind(auditLog);
    auditLog.append = () => Promise.reject(new Error('the log is out of reach'));
    restore = () => void (auditLog.append = append);
  }

  it('does not happen where the role says strict, and ends the session', async () => {
    const [client] = await hello(cluster, await cluster.login('stu'));
    const session = await sessionOf(client);
    assert.equal(await client.ask('say before'), 'ok before');
    silence();
    await client.send('say after');
    const said = await heard(client);
    assert.deepEqual(
      said.filter((line) => line.startsWith('ok')),
      [],
    );
    assert.equal(said.at(-1), 'no unavailable what cannot be recorded must not happen: the audit log is unavailable');
    restore();
    const end = await endOf(cluster, session);
    assert.deepEqual([end.fields['reason'], end.fields['code']], ['cut', 'unavailable']);
    // It was in the queue, so it is in the log: what is not acknowledged in time is late and not lost.
    const texts = (await cluster.events({ session, types: ['lines.said'] })).map(({ fields }) => fields['text']);
    assert.deepEqual(texts, ['before', 'after']);
  });

  it('is no session where the role says strict; what is known of it has an end', async () => {
    const login = await cluster.login('stu');
    silence();
    const [client, answer] = await hello(cluster, login);
    assert.match(answer ?? '', /^no unavailable /);
    assert.equal(await client.next(), undefined);
    assert.deepEqual(await cluster.admin.call(listSessions, {}), []);
    restore();
    await quiet(cluster);
    const [start] = [...(await cluster.events({ user: 'stu', types: ['session.start'] }))].reverse();
    const end = await endOf(cluster, start?.session ?? '');
    assert.deepEqual([end.fields['reason'], end.fields['code']], ['failed', 'audit_unavailable']);
  });

  it('happens where the queue is enough, and is in the log once that is there again', async () => {
    const [client] = await hello(cluster, await cluster.login('ann'));
    const session = await sessionOf(client);
    silence();
    for (let index = 0; index < 20; index += 1)
      assert.equal(await client.ask(`say number ${index}`), `ok number ${index}`);
    await until(async () => (await readyz(cluster)).status === 503);
    assert.match((await readyz(cluster)).body, /^failed audit: .*the log is out of reach$/m);
    restore();
    await until(async () => (await readyz(cluster)).status === 200);
    await client.send('bye');
    await endOf(cluster, session);
    assert.equal((await cluster.events({ session, types: ['lines.said'] })).length, 20);
    const told = (await cluster.events({ types: ['audit'] })).map(({ type }) => type);
    assert.deepEqual(told.slice(-2), ['audit.unavailable', 'audit.restored']);
  });
});
