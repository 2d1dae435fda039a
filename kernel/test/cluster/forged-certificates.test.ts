import assert from 'node:assert/strict';
import { X509Certificate } from 'node:crypto';
import type { TestCluster } from '../../../test/support/cluster.js';
import { TestClock } from '../../../test/support/clock.js';
import type { TestLogin } from '../../../test/support/login.js';
import type { CertificateIssuer } from '../../src/certificates/index.js';
import { createAuthorityCertificate } from '../../src/certificates/x509-authority.js';
import { newIssuer, p256, privatePem, publicPem, signingKey } from '../certificates/support.js';
import { hello, type LineClient } from './line-client.js';
import { endOf, sessionOf, startLines } from './line-world.js';

interface Shown {
  readonly certificate: string;
  readonly key: string;
}

const hour = 3_600_000;
/** Later than any that the user has had. */
const generation = 1_000_000;

/** A certificate for `ann` with everything that a true one says, by whoever is asked. */
async function userCertificate(issuer: CertificateIssuer, generation: number): Promise<Shown> {
  const { publicKey, privateKey } = p256();
  const claims = {
    user: 'ann',
    roles: ['reader'],
    traits: {},
    principals: { lines: ['reader'] },
    generation,
    requests: [],
  };
  const { tls } = await issuer.issueUser({
    claims,
    tlsPublicKey: publicPem(publicKey),
    lifetimeMs: hour,
    openSshPrincipals: ['nobody'],
    openSshPermissions: {},
  });
  return { certificate: tls?.certificate ?? '', key: privatePem(privateKey) };
}

/** A certificate of another purpose, by the cluster's own authorities. */
async function foreign(issue: (publicKey: string) => Promise<{ readonly certificate: string }>): Promise<Shown> {
  const { publicKey, privateKey } = p256();
  const { certificate } = await issue(publicPem(publicKey));
  return { certificate, key: privatePem(privateKey) };
}

/** The same certificate with one bit of it changed, so far before its end. */
function tampered({ certificate, key }: Shown, fromEnd: number): Shown {
  const der = new X509Certificate(certificate).raw;
  der[der.length - fromEnd] = (der[der.length - fromEnd] ?? 0) ^ 1;
  const lines = der.toString('base64').match(/.{1,64}/g) ?? [];
  return { certificate: ['-----BEGIN CERTIFICATE-----', ...lines, '-----END CERTIFICATE-----', ''].join('\n'), key };
}

async function selfSigned(): Promise<Shown> {
  const { privateKey } = p256();
  const certificate = await createAuthorityCertificate('cluster.test', 'user', signingKey(privateKey), new Date());
  return { certificate, key: privatePem(privateKey) };
}

describe('a client with a certificate that must not be believed', () => {
  const clock = new TestClock();
  let cluster: TestCluster;
  let issuer: CertificateIssuer;
  let ann: TestLogin;
  let bystander: LineClient;

  before(async () => {
    cluster = await startLines({ clock, users: { ann: { roles: ['reader'] }, ben: { roles: ['reader'] } } });
    ({ issuer } = cluster.running.state);
    ann = await cluster.login('ann');
    [bystander] = await hello(cluster, await cluster.login('ben'));
  });
  after(async () => {
    const session = await sessionOf(bystander);
    await bystander.send('bye');
    await endOf(cluster, session);
    await cluster[Symbol.asyncDispose]();
  });

  const cases: readonly { name: string; shown: () => Promise<Shown | undefined>; code?: string; skewMs?: number }[] = [
    { name: 'none at all', shown: async () => undefined },
    {
      name: 'one of another authority of the same name',
      shown: async () => userCertificate(await newIssuer(), generation),
    },
    {
      name: 'one of another cluster',
      shown: async () => userCertificate(await newIssuer({ cluster: 'other.test' }), generation),
    },
    { name: 'one that it signed itself', shown: selfSigned },
    { name: 'one that has expired', shown: async () => ann, code: 'expired', skewMs: 24 * hour },
    { name: 'one that is not valid yet', shown: async () => ann, skewMs: -hour },
    { name: 'one whose signature was changed', shown: async () => tampered(ann, 4) },
    { name: 'one whose content was changed', shown: async () => tampered(ann, 150) },
    {
      name: 'that of a server of the cluster',
      shown: () =>
        foreign((publicKey) => issuer.issueServer({ names: ['one.lines.cluster.test'], publicKey, ca: 'host' })),
    },
    {
      name: 'that of a database server',
      shown: () =>
        foreign((publicKey) => issuer.issueServer({ names: ['one.lines.cluster.test'], publicKey, ca: 'db' })),
    },
    {
      name: 'one for a database',
      shown: () => foreign((publicKey) => issuer.issueDatabaseClient({ name: 'ann', publicKey })),
    },
    {
      name: 'that of an agent',
      shown: () => foreign((publicKey) => issuer.issueService({ name: 'ann', services: ['agent'], publicKey })),
    },
    {
      name: 'that of the Auth Service',
      shown: () => foreign((publicKey) => issuer.issueService({ name: 'ann', services: ['auth'], publicKey })),
    },
  ];
  for (const { name, shown, code = 'unauthenticated', skewMs = 0 } of cases)
    it(`is refused with ${name}: once, in words, and nobody else notices`, async () => {
      const before = (await cluster.events({ types: ['session', 'connection'] })).length;
      const credential = await shown();
      clock.advance(skewMs);
      try {
        const [client, answer] = await hello(cluster, credential);
        assert.match(answer ?? '', new RegExp(`^no ${code} .{10}`));
        assert.equal(await client.next(), undefined);
      } finally {
        clock.advance(-skewMs);
      }
      const events = (await cluster.events({ types: ['session', 'connection'] })).slice(before);
      assert.deepEqual(
        events.map(({ type, user, fields }) => [type, user, fields['code']]),
        [['session.denied', undefined, code]],
      );
      assert.equal(await bystander.ask('say here'), 'ok here');
      // What the client hears is for everybody; why it is not believed is for operators.
      const { message, detail } = events[0]?.fields ?? {};
      if (credential === undefined) return assert.equal(detail, undefined);
      assert.ok(typeof detail === 'string' && detail.length > 10, String(detail));
      assert.ok(typeof message === 'string' && !message.includes(detail));
    });

  it('is let in with a true one', async () => {
    const [client, answer] = await hello(cluster, ann);
    assert.equal(answer, 'ok hello');
    const session = await sessionOf(client);
    await client.send('bye');
    await endOf(cluster, session);
  });

  it('is refused with a true one of the user authority for a generation that has passed', async () => {
    const [client, answer] = await hello(cluster, await userCertificate(issuer, 1));
    assert.match(answer ?? '', /^no expired /);
    client[Symbol.dispose]();
  });
});
