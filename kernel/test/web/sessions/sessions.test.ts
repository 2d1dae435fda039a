import assert from 'node:assert/strict';
import { X509Certificate } from 'node:crypto';
import { until, type TestCluster } from '../../../../test/support/cluster.js';
import { TestClock } from '../../../../test/support/clock.js';
import { verifyUserCertificate } from '../../../src/certificates/index.js';
import type { WebSessions } from '../../../src/web/sessions/index.js';
import { reader, startLines } from '../../cluster/line-world.js';
import { certify, enter, home, isIn, one, outcome } from './web-world.js';

const minute = 60_000;
const hour = 60 * minute;

describe('a session of a browser', () => {
  const clock = new TestClock();
  let cluster: TestCluster;
  let sessions: WebSessions;
  before(async () => {
    cluster = await startLines({
      clock,
      roles: [
        reader(),
        { name: 'none' },
        reader('brief', { options: { max_certificate_ttl: '30m' } }),
        reader('strong', { options: { require_mfa: true } }),
      ],
      users: {
        ann: { roles: ['reader'] },
        ned: { roles: ['none'] },
        ben: { roles: ['brief'] },
        mia: { roles: ['strong'] },
      },
    });
    sessions = cluster.running.auth.web;
  });
  after(() => cluster[Symbol.asyncDispose]());
  beforeEach(() => clock.advance(2 * minute));

  it('says who the user is, until the user logs out', async () => {
    const cookie = await enter(cluster, 'ann');
    const session = await sessions.session(cookie, home);
    assert.equal(session?.user, 'ann');
    assert.deepEqual(session.roles, ['reader']);
    await sessions.logout(cookie, home);
    assert.equal(await isIn(sessions, cookie), false);
    await sessions.logout(cookie, home);
  });

  it('is recorded as it begins and as it ends', async () => {
    const from = '192.0.2.77';
    await sessions.logout(await enter(cluster, 'ann', { from }), from);
    const login = (await cluster.events({ user: 'ann', types: ['user.login'] })).find(({ source }) => source === from);
    assert.equal(login?.fields['via'], 'web');
    const logouts = await cluster.events({ user: 'ann', types: ['user.logout'] });
    const logout = logouts.find(({ source }) => source === from);
    assert.equal(logout?.fields['reason'], 'logged out');
  });

  it('ends after an hour in which nobody used it', async () => {
    const cookie = await enter(cluster, 'ann');
    for (let times = 0; times < 3; times++) {
      clock.advance(50 * minute);
      assert.equal(await isIn(sessions, cookie), true);
    }
    clock.advance(61 * minute);
    assert.equal(await isIn(sessions, cookie), false);
  });

  it('ends after the life of a certificate, however it is used', async () => {
    const cookie = await enter(cluster, 'ann');
    for (let used = 0; used < 15; used++) {
      clock.advance(50 * minute);
      assert.equal(await isIn(sessions, cookie), (used + 1) * 50 * minute < 12 * hour, `${used}`);
    }
  });

  it('is shorter where a role says so', async () => {
    const cookie = await enter(cluster, 'ben');
    clock.advance(29 * minute);
    assert.equal(await isIn(sessions, cookie), true);
    clock.advance(2 * minute);
    assert.equal(await isIn(sessions, cookie), false);
  });

  it('does not begin without a second factor, where a role demands one', async () => {
    assert.equal(await outcome(enter(cluster, 'mia')), 'mfa_required');
    const { fields } = await cluster.event({ types: ['user.login_failed'] });
    assert.deepEqual([fields['name'], fields['reason']], ['mia', 'mfa_required']);
  });

  it('shows the resources that its user may reach', async () => {
    const [resource, ...others] = await sessions.resources(await enter(cluster, 'ann'), home);
    assert.deepEqual(others, []);
    const { labels, principals, title } = resource ?? {};
    assert.deepEqual(
      { labels, principals, title },
      { labels: { env: 'test' }, principals: ['reader'], title: 'Lines' },
    );
    assert.deepEqual(await sessions.resources(await enter(cluster, 'ned'), home), []);
  });

  it('is given certificates of a minute at most, for one resource and one address, and each is recorded', async () => {
    const cookie = await enter(cluster, 'ann');
    const { id = '', expires: end } = (await sessions.session(cookie, home)) ?? {};
    const { certificate, expires } = await certify(sessions, cookie);
    const life = Date.parse(new X509Certificate(certificate).validTo) - clock.now().getTime();
    assert.ok(life <= minute && life > 50_000, `${life}`);
    assert.equal(expires.getTime(), Date.parse(new X509Certificate(certificate).validTo));
    const { view } = cluster.running.state;
    const identity = verifyUserCertificate(certificate, [view.trust('user')], clock.now());
    assert.equal(identity.via, 'web');
    assert.equal(identity.pinnedAddress, home);
    assert.deepEqual(identity.resource, one);
    assert.deepEqual(identity.web, { session: id, expires: end });
    const issued = await cluster.events({ user: 'ann', types: ['certificate.issued'] });
    const event = issued.find(({ fields }) => fields['serial'] === identity.serial);
    assert.equal(event?.fields['purpose'], `web session ${id}`);
    assert.deepEqual(event.resource, one);
  });

  it('is denied a certificate for what its user may not see, and that is recorded', async () => {
    const cookie = await enter(cluster, 'ned');
    assert.equal(await outcome(certify(sessions, cookie)), 'access_denied');
    assert.equal(await outcome(certify(sessions, cookie, { resource: { kind: 'lines', name: 'none' } })), 'not_found');
    const refused = await cluster.events({ user: 'ned', types: ['certificate.refused'] });
    assert.deepEqual(
      refused.map(({ fields }) => fields['code']),
      ['access_denied', 'not_found'],
    );
  });

  it('is told of when it ends, whoever ends it', async () => {
    const ended: string[] = [];
    const off = sessions.onEnd((id) => ended.push(id));
    const cookie = await enter(cluster, 'ann');
    const { id = '' } = (await sessions.session(cookie, home)) ?? {};
    await cluster.seen();
    await sessions.logout(cookie, home);
    await until(() => ended.includes(id));
    off();
  });
});
