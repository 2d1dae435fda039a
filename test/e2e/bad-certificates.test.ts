import assert from 'node:assert/strict';
import { updateUser } from '@postern/kernel/api/contract';
import { byAnotherAuthority, bySelf, forUpstream, ofServer, type Credential } from './support/forged-credentials.js';
import { WatchedSite } from './support/watched-site.js';

describe('a client of a whole cluster with a certificate that must not be believed', function () {
  this.timeout(60_000);
  let world: WatchedSite;

  before(async function () {
    world = await WatchedSite.start(this);
  });
  after(() => (world as WatchedSite | undefined)?.[Symbol.asyncDispose]());
  beforeEach(() => world.forget());
  afterEach(() => world.canary.sing());

  async function fromTheFuture(): Promise<Credential> {
    const { clock } = world.site.cluster;
    clock.advance(600_000);
    try {
      return await world.site.cluster.login('carol');
    } finally {
      clock.advance(-600_000);
    }
  }

  const credentials: readonly {
    name: string;
    readonly shown: () => Promise<Credential>;
    skewMs?: number;
    code: string;
  }[] = [
    {
      name: 'of another authority',
      shown: () => byAnotherAuthority({ name: 'carol', roles: ['all'], login: world.login }, 'cluster.test'),
      code: 'unauthenticated',
    },
    {
      name: 'of another cluster',
      shown: () => byAnotherAuthority({ name: 'carol', roles: ['all'], login: world.login }, 'other.test'),
      code: 'unauthenticated',
    },
    {
      name: 'that has expired',
      shown: () => world.site.cluster.login('carol', { ttl: 60 }),
      skewMs: 120_000,
      code: 'expired',
    },
    { name: 'that is not valid yet', shown: fromTheFuture, code: 'unauthenticated' },
    { name: 'that nobody else has signed', shown: () => bySelf('cluster.test'), code: 'unauthenticated' },
    {
      name: 'for what is behind the agent',
      shown: () => forUpstream(world.site.cluster.running.state.issuer, world.login),
      code: 'unauthenticated',
    },
    {
      name: 'of a server of the cluster',
      shown: () => ofServer(world.site.cluster.running.state.issuer, world.site.cluster.hostname('ssh', 'box')),
      code: 'unauthenticated',
    },
  ];
  for (const { name, shown, skewMs = 0, code } of credentials) {
    const skewed = async <T>(run: (credential: Credential) => Promise<T>): Promise<T> => {
      const credential = await shown();
      world.site.cluster.clock.advance(skewMs);
      try {
        return await run(credential);
      } finally {
        world.site.cluster.clock.advance(-skewMs);
      }
    };

    it(`refuses psql with a certificate ${name}, in words, once`, async () => {
      const { status, stdout, stderr } = await skewed((credential) => world.site.psql(credential, 'select 1'));
      assert.deepEqual([status, stdout], [2, '']);
      assert.match(stderr, /FATAL: +\S.{10,}/);
      assert.deepEqual(await world.said(), [['session.denied', code]]);
    });

    it(`refuses ssh with a certificate ${name}, in words, once`, async () => {
      const { status, stdout, stderr } = await skewed(({ sshKey, sshCertificate }) =>
        world.ssh.run({ key: sshKey, certificate: sshCertificate }, { login: world.login, resource: 'box' }, 'echo in'),
      );
      assert.deepEqual([status, stdout], [255, '']);
      assert.match(stderr, /postern: \S.{10,}/);
      assert.deepEqual(await world.said(), [['connection.refused', code]]);
    });
  }

  it('refuses who has lost a role since the certificate was made, once each', async () => {
    await world.site.cluster.admin.call(updateUser, { name: 'carol', roles: ['guest'] });
    await world.site.cluster.seen();
    const { stderr } = await world.site.psql(world.user, 'select 1');
    assert.match(stderr, /FATAL: +\S.{10,}/);
    const credential = { key: world.user.sshKey, certificate: world.user.sshCertificate };
    const second = await world.ssh.run(credential, { login: world.login, resource: 'box' }, 'echo in');
    assert.equal(second.status, 255);
    assert.match(second.stderr, /postern: the roles or credentials of carol have changed/);
    assert.deepEqual(await world.said(2), Array(2).fill(['session.denied', 'expired']));
  });
});
