import assert from 'node:assert/strict';
import { X509Certificate } from 'node:crypto';
import { PosternError } from '@postern/plugin-sdk';
import { testPassword, type TestCluster } from '../../../test/support/cluster.js';
import { TestClock } from '../../../test/support/clock.js';
import { parseOpenSshCertificate } from '../../src/certificates/index.js';
import { hashPassword } from '../../src/identity/password.js';
import { reader, startLines } from '../cluster/line-world.js';

const hour = 3_600_000;
const minute = 60_000;

/** The code that a promise rejects with, or `in`. */
const outcome = (attempt: Promise<unknown>): Promise<string> =>
  attempt.then(
    () => 'in',
    (cause: unknown) => PosternError.from(cause).code,
  );

describe('a login', () => {
  const clock = new TestClock();
  let cluster: TestCluster;
  before(async () => {
    cluster = await startLines({
      clock,
      roles: [
        reader(),
        reader('brief', { options: { max_certificate_ttl: '1h' } }),
        reader('long', { options: { max_certificate_ttl: '24h' } }),
        reader('endless', { options: { max_certificate_ttl: '90d' } }),
      ],
      users: {
        ann: { roles: ['reader'] },
        ben: { roles: ['reader', 'brief'] },
        leo: { roles: ['long'] },
        eva: { roles: ['endless'] },
        may: { roles: ['long', 'brief', 'endless'] },
      },
    });
  });
  after(() => cluster[Symbol.asyncDispose]());
  beforeEach(() => clock.advance(2 * minute));

  const lifetimes = [
    ['ann', undefined, 12],
    ['ann', 2, 2],
    ['ann', 20, 12],
    ['ben', undefined, 1],
    ['ben', 20, 1],
    ['leo', undefined, 12],
    ['leo', 20, 20],
    ['leo', 48, 24],
    ['eva', undefined, 12],
    ['eva', 500, 30],
    ['may', 500, 1],
  ] as const;
  for (const [user, wanted, hours] of lifetimes)
    it(`of ${user} who wants ${wanted ?? 'nothing'} lasts ${hours} hours, in every certificate`, async () => {
      const ttl = wanted === undefined ? {} : { ttl: wanted * 3600 };
      const login = await cluster.login(user, ttl);
      const end = clock.now().getTime() + hours * hour;
      const { validTo } = new X509Certificate(login.certificate);
      const { validBefore } = parseOpenSshCertificate(Buffer.from(login.sshCertificate.split(' ')[1] ?? '', 'base64'));
      for (const ends of [Date.parse(validTo), Number(validBefore) * 1000])
        assert.ok(Math.abs(ends - end) < 5000, new Date(ends).toISOString());
    });

  it('with a one-time password asks for a new one, and takes it once', async () => {
    const name = 'uma';
    const once = 'abcd-efgh-jkmn-pqrs';
    const { users } = cluster.running.auth;
    await users.createWithOneTimePassword({ name, roles: ['reader'], traits: {} }, once, 'postern');
    await cluster.seen();
    const attempt = (password: string, newPassword?: string) =>
      outcome(cluster.login(name, { password, ...(newPassword !== undefined && { newPassword }) }));
    assert.equal(await attempt(once), 'password_change_required');
    assert.equal(await attempt(once, once), 'invalid_argument');
    assert.equal(await attempt(once, 'short'), 'invalid_argument');
    assert.equal(await attempt('wrong', testPassword), 'unauthenticated');
    assert.equal(await attempt(once, testPassword), 'in');
    assert.equal(await attempt(once, 'another long password'), 'unauthenticated');
    assert.equal(await attempt(testPassword), 'in');
    const changed = await cluster.event({ user: name, types: ['user.changed'] });
    assert.deepEqual(changed.fields['changes'], ['password']);
  });

  it('with a one-time password that is used twice at once succeeds once', async () => {
    const { users } = cluster.running.auth;
    const once = 'tuvw-xyz2-3456-789a';
    await users.createWithOneTimePassword({ name: 'una', roles: ['reader'], traits: {} }, once, 'postern');
    await cluster.seen();
    const wishes = ['the password of one', 'the password of another'];
    const outcomes = await Promise.all(
      wishes.map((newPassword) => outcome(cluster.login('una', { password: once, newPassword }))),
    );
    assert.deepEqual([...outcomes].sort(), ['in', 'unauthenticated']);
    clock.advance(2 * minute);
    const works = await Promise.all(wishes.map((password) => outcome(cluster.login('una', { password }))));
    assert.deepEqual(works, outcomes);
  });
});

describe('somebody who tries many names from one address', () => {
  const clock = new TestClock();
  let cluster: TestCluster;
  before(async () => {
    cluster = await startLines({ clock });
  });
  after(() => cluster[Symbol.asyncDispose]());

  const spray = (from: string, count: number): Promise<readonly string[]> =>
    Promise.all(Array.from({ length: count }, (_, index) => outcome(cluster.login(`name${index}`, { from }))));

  it('has thirty attempts in a minute, whoever they are about, and does not take them from others', async () => {
    const outcomes = await spray('203.0.113.7', 40);
    assert.equal(outcomes.filter((one) => one === 'unauthenticated').length, 30);
    assert.equal(outcomes.filter((one) => one === 'rate_limited').length, 10);
    assert.equal(await outcome(cluster.login('ann', { from: '203.0.113.7' })), 'rate_limited');
    assert.equal(await outcome(cluster.login('ann', { from: '203.0.113.8' })), 'in');
    clock.advance(minute + 1000);
    assert.equal(await outcome(cluster.login('ann', { from: '203.0.113.7' })), 'in');
  });

  it('has no more of them by using all the addresses of one IPv6 network', async () => {
    clock.advance(2 * minute);
    const outcomes = await Promise.all(
      Array.from({ length: 40 }, (_, index) =>
        outcome(cluster.login(`other${index}`, { from: `2001:db8:1:2::${(index + 1).toString(16)}` })),
      ),
    );
    assert.equal(outcomes.filter((one) => one === 'rate_limited').length, 10);
  });

  it('cannot state another address by a header of its own', async () => {
    // Nothing stands in front of this port: what looks like a balancer's header is garbage there.
    await using bare = await startLines({ configuration: { proxy: { trusted_proxies: [] } } });
    await assert.rejects(bare.login('ann', { from: '198.51.100.1' }));
    const login = await bare.login('ann');
    assert.ok(login.certificate.length > 0);
    const sources = (await bare.events({ types: ['user.login'] })).map(({ source }) => source);
    assert.deepEqual(sources, ['127.0.0.1']);
  });
});

describe('a stored password', () => {
  it('is an argon2id hash of at least 19 MiB, two passes and one lane, with a salt of its own', async () => {
    const [one, other] = await Promise.all([hashPassword(testPassword), hashPassword(testPassword)]);
    const [, memory, passes, lanes, salt] =
      /^\$argon2id\$v=19\$m=(\d+),t=(\d+),p=(\d+)\$([A-Za-z0-9+/]+)\$[A-Za-z0-9+/]{43}$/.exec(one) ?? [];
    assert.ok(Number(memory) >= 19 * 1024 && Number(passes) >= 2 && Number(lanes) === 1, one);
    assert.ok((salt ?? '').length >= 22);
    assert.notEqual(one, other);
  });
});
