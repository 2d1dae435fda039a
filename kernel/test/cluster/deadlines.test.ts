import assert from 'node:assert/strict';
import type { TestCluster } from '../../../test/support/cluster.js';
import { TestClock } from '../../../test/support/clock.js';
import { hello } from './line-client.js';
import { endOf, reader, sessionOf, startLines } from './line-world.js';

describe('the end of a session', () => {
  const clock = new TestClock();
  let cluster: TestCluster;

  before(async () => {
    cluster = await startLines({
      clock,
      roles: [
        reader(),
        reader('idler', { options: { idle_timeout: '2s' } }),
        reader('visitor', { options: { max_session_ttl: '3s' } }),
        reader('nightshift', { options: { end_at_expiry: false } }),
        reader('strict', { options: { end_at_expiry: true } }),
      ],
      users: {
        ann: { roles: ['reader'] },
        ida: { roles: ['idler'] },
        vic: { roles: ['visitor'] },
        ned: { roles: ['nightshift'] },
        sue: { roles: ['nightshift', 'strict'] },
      },
    });
  });
  after(() => cluster[Symbol.asyncDispose]());

  async function cutAs(user: string, ttl?: number): Promise<{ readonly said: string; readonly code: unknown }> {
    const login = await cluster.login(user, ttl === undefined ? {} : { ttl });
    const [client, answer] = await hello(cluster, login);
    assert.equal(answer, 'ok hello');
    const session = await sessionOf(client);
    const said = (await client.next()) ?? '';
    const { fields } = await endOf(cluster, session);
    assert.equal(fields['reason'], 'cut');
    return { said, code: fields['code'] };
  }

  it('comes when nothing was sent for the idle time-out', async () => {
    const { said, code } = await cutAs('ida');
    assert.deepEqual([said, code], ['no expired nothing was sent for 2 seconds', 'expired']);
  });

  it('does not come while something is sent', async () => {
    const [client] = await hello(cluster, await cluster.login('ida'));
    const end = performance.now() + 2600;
    while (performance.now() < end) {
      assert.equal(await client.ask('say awake'), 'ok awake');
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    assert.match((await client.next()) ?? '', /^no expired nothing was sent/);
  });

  it('comes after the longest time that its roles allow', async () => {
    const { said, code } = await cutAs('vic');
    assert.match(said, /^no expired the session ended at \S+Z/);
    assert.equal(code, 'expired');
  });

  for (const user of ['ann', 'sue'])
    it(`comes with the end of the certificate of ${user}`, async () => {
      // Whole seconds: long enough for a slow machine to begin the session before its certificate has ended.
      const { said, code } = await cutAs(user, 4);
      assert.match(said, /^no expired .*psh login$/);
      assert.equal(code, 'expired');
    }).timeout(30_000);

  it('does not come with the certificate where a role lets sessions outlive it; nothing new begins', async () => {
    const login = await cluster.login('ned', { ttl: 60 });
    const [client] = await hello(cluster, login);
    const session = await sessionOf(client);
    const serial = login.identity.serial;
    clock.advance(120_000);
    // A review of all sessions, as every change brings one.
    await cluster.seen();
    assert.equal(await client.ask('say still here'), 'ok still here');
    assert.equal(await client.ask('require reader'), 'ok reader');
    const [late, answer] = await hello(cluster, login);
    assert.match(answer ?? '', /^no expired /);
    late[Symbol.dispose]();
    assert.match((await client.ask('become reader')) ?? '', /^ok CN=reader true$/);
    const issued = await cluster.events({ session, types: ['certificate.issued'] });
    assert.deepEqual(
      issued.map(({ user }) => user),
      ['ned'],
    );
    assert.match((await client.ask('whoami')) ?? '', new RegExp(`^ok ned ${serial} `));
    await client.send('bye');
    assert.equal((await endOf(cluster, session)).fields['reason'], 'ended');
  });

  it('comes at once where the clock has passed the end of the certificate while a client was opening', async () => {
    const login = await cluster.login('ann', { ttl: 60 });
    const stream = await cluster.connect('lines', 'one', login);
    clock.advance(120_000);
    stream.write('hello reader\n');
    const chunks: string[] = [];
    for await (const chunk of stream) chunks.push(String(chunk));
    assert.match(chunks.join(''), /^no expired your certificate expired at /);
  });

  it('is noticed after the clock has jumped, as it does when a machine wakes up', async () => {
    const [client] = await hello(cluster, await cluster.login('ann', { ttl: 3600 }));
    clock.advance(7_200_000);
    await cluster.seen();
    assert.match((await client.next()) ?? '', /^no expired /);
  });
});
