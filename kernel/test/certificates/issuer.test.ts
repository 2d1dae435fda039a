import assert from 'node:assert/strict';
import { generateKeyPairSync, X509Certificate, type KeyObject } from 'node:crypto';
import { identityOid, openSshLine, userLifetime, type CertificateIssuer } from '../../src/certificates/index.js';
import { WireWriter } from '../../src/certificates/openssh-wire.js';
import { X509Certificate as LibraryCertificate } from '@peculiar/x509';
import {
  claims,
  cluster,
  ed25519,
  inDirectory,
  newIssuer,
  output,
  p256,
  privatePem,
  publicPem,
  refusal,
} from './support.js';

const hour = 3_600_000;
const purposes = ['sslclient', 'sslserver'] as const;

/** For which of its purposes openssl accepts a certificate under this authority. */
const acceptedFor = (ca: string, leaf: string): string[] =>
  inDirectory({ 'ca.pem': ca, 'leaf.pem': leaf }, (directory) =>
    purposes.filter((purpose) => {
      const args = ['-x509_strict', '-purpose', purpose, '-CAfile', `${directory}/ca.pem`, `${directory}/leaf.pem`];
      try {
        return output('openssl', 'verify', ...args).includes('OK');
      } catch {
        return false;
      }
    }),
  );

describe('the issuer', () => {
  const clock = { now: new Date() };
  let issuer: CertificateIssuer;
  const { publicKey } = p256();

  before(async () => {
    issuer = await newIssuer({ clock });
  });
  beforeEach(() => {
    clock.now = new Date();
  });

  const certificateAuthority = (kind: 'user' | 'host' | 'db' | 'db_client'): string =>
    issuer.bundle(kind).x509[0] ?? '';

  const subjects = [
    { name: 'P-256', key: () => publicKey },
    { name: 'P-384', key: () => generateKeyPairSync('ec', { namedCurve: 'P-384' }).publicKey },
    { name: 'Ed25519', key: () => ed25519().publicKey },
    { name: 'RSA', key: () => generateKeyPairSync('rsa', { modulusLength: 2048 }).publicKey },
  ];
  for (const { name, key } of subjects)
    it(`certifies a user's ${name} key for a TLS client and nothing else`, async () => {
      const subject: KeyObject = key();
      const { tls } = await issuer.issueUser({ claims, tlsPublicKey: publicPem(subject) });
      const certificate = new X509Certificate(tls?.certificate ?? '');
      assert.ok(certificate.publicKey.equals(subject));
      assert.equal(certificate.subject, 'CN=alice');
      assert.deepEqual(acceptedFor(certificateAuthority('user'), tls?.certificate ?? ''), ['sslclient']);
    });

  it('certifies servers, services and database clients, each for its own purpose', async () => {
    const names = [`main.db.${cluster}`];
    const server = await issuer.issueServer({ ca: 'host', names, publicKey });
    const database = await issuer.issueServer({ ca: 'db', names, publicKey });
    const service = await issuer.issueService({ name: 'agent-1', services: ['agent'], publicKey });
    const auth = await issuer.issueService({
      name: 'auth-1',
      services: ['auth'],
      names: [`auth.${cluster}`],
      publicKey,
    });
    const client = await issuer.issueDatabaseClient({ name: 'app', publicKey });
    assert.deepEqual(acceptedFor(certificateAuthority('host'), server.certificate), ['sslserver']);
    assert.deepEqual(acceptedFor(certificateAuthority('db'), database.certificate), ['sslserver']);
    assert.deepEqual(acceptedFor(certificateAuthority('host'), service.certificate), ['sslclient', 'sslserver']);
    assert.deepEqual(acceptedFor(certificateAuthority('host'), auth.certificate), ['sslclient', 'sslserver']);
    assert.deepEqual(acceptedFor(certificateAuthority('db_client'), client.certificate), ['sslclient']);
    assert.deepEqual(acceptedFor(certificateAuthority('db'), client.certificate), []);
    assert.equal(new X509Certificate(server.certificate).subjectAltName, `DNS:${names[0]}`);
    assert.equal(new X509Certificate(client.certificate).subject, 'CN=app');
    assert.equal(new X509Certificate(service.certificate).subject, 'OU=agent-1');
  });

  it('writes an extension that openssl, node:crypto and the library read', async () => {
    const { tls } = await issuer.issueUser({ claims, tlsPublicKey: publicKey });
    const pem = tls?.certificate ?? '';
    const text = inDirectory({ 'user.pem': pem }, (directory) =>
      output('openssl', 'x509', '-in', `${directory}/user.pem`, '-noout', '-text'),
    );
    assert.match(text, new RegExp(`${identityOid.replaceAll('.', '\\.')}: \\n.*"user":"alice"`));
    const extension = new LibraryCertificate(pem).getExtension(identityOid);
    assert.match(Buffer.from(extension?.value ?? new ArrayBuffer(0)).toString(), /"user":"alice"/);
    assert.equal(new X509Certificate(pem).serialNumber.toLowerCase(), tls?.serial);
  });

  it('numbers certificates with 32 random hexadecimal digits', async () => {
    const serials = new Set<string>();
    for (let i = 0; i < 20; i += 1) {
      const { serial } = await issuer.issueDatabaseClient({ name: 'app', publicKey });
      assert.match(serial, /^[4-7][0-9a-f]{31}$/);
      serials.add(serial);
    }
    assert.equal(serials.size, 20);
  });

  it('gives both certificates of a user the same end: 12 hours by default, 30 at most', async () => {
    const ends = { undefined: userLifetime.defaultMs, [hour]: hour, [1000 * hour]: userLifetime.maximumMs };
    for (const [requested, granted] of Object.entries(ends)) {
      const { tls, expires } = await issuer.issueUser({
        claims,
        tlsPublicKey: publicKey,
        openSshPublicKey: ed25519().publicKey,
        openSshPrincipals: ['alice'],
        ...(requested !== 'undefined' && { lifetimeMs: Number(requested) }),
      });
      assert.equal(expires.getTime(), Math.floor((clock.now.getTime() + granted) / 1000) * 1000);
      assert.equal(new Date(new X509Certificate(tls?.certificate ?? '').validTo).getTime(), expires.getTime());
    }
  });

  it('gives a database client an hour at most', async () => {
    const { expires } = await issuer.issueDatabaseClient({ name: 'app', publicKey, lifetimeMs: 24 * hour });
    assert.ok(expires.getTime() - clock.now.getTime() <= hour);
  });

  it('signs nothing that ends after its authority', async () => {
    clock.now = new Date(Date.now() + 3650 * 24 * hour - 2 * hour);
    const authorityEnd = new Date(new X509Certificate(certificateAuthority('user')).validTo);
    const { expires } = await issuer.issueUser({ claims, tlsPublicKey: publicKey });
    assert.ok(expires.getTime() <= authorityEnd.getTime() && expires.getTime() > clock.now.getTime());
    clock.now = new Date(Date.now() + 3651 * 24 * hour);
    await assert.rejects(issuer.issueUser({ claims, tlsPublicKey: publicKey }), refusal('unavailable', /ended/));
    await assert.rejects(
      issuer.issueServer({ ca: 'host', names: [cluster], publicKey }),
      refusal('unavailable', /ended/),
    );
  });

  for (const name of [
    'example.org',
    'evilcluster.test',
    `*.${cluster}`,
    '127.0.0.1',
    `A.${cluster}`,
    `a.${cluster}\0.org`,
  ])
    it(`certifies no server as ${JSON.stringify(name)}`, async () => {
      const bad = refusal('invalid_argument', /server name/);
      for (const ca of ['host', 'db'] as const)
        await assert.rejects(issuer.issueServer({ ca, names: [`a.${cluster}`, name], publicKey }), bad);
      await assert.rejects(issuer.issueService({ name: 'a', services: ['auth'], names: [name], publicKey }), bad);
      await assert.rejects(issuer.issueOpenSshHost({ principals: [name], publicKey }), bad);
    });

  for (const user of ['alice,O=admins', 'alice\nCN=root', 'alice\0', 'alice/CN=root', ' alice', 'a'.repeat(65), ''])
    it(`cannot be made to forge a subject by a user named ${JSON.stringify(user.slice(0, 20))}`, async () => {
      const request = { claims: { ...claims, user }, tlsPublicKey: publicKey };
      await assert.rejects(issuer.issueUser(request), refusal('invalid_argument', /user/));
      await assert.rejects(
        issuer.issueDatabaseClient({ name: user, publicKey }),
        refusal('invalid_argument', /database user/),
      );
      await assert.rejects(
        issuer.issueService({ name: user, services: ['agent'], publicKey }),
        refusal('invalid_argument', /name/),
      );
    });

  it('takes no private key, not even to derive the public one', async () => {
    const pem = privatePem(p256().privateKey);
    await assert.rejects(issuer.issueUser({ claims, tlsPublicKey: pem }), refusal('invalid_argument', /PUBLIC KEY/));
    await assert.rejects(
      issuer.issueUser({ claims, openSshPublicKey: pem, openSshPrincipals: ['alice'] }),
      refusal('invalid_argument', /PUBLIC KEY/),
    );
  });

  for (const [line, reason] of [
    ['ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAAQ', /does not parse/],
    ['ssh-dss AAAAB3NzaC1kc3M=', /does not parse/],
    ['ssh-ed25519 /////w==', /public key line/],
    ['ssh-ed25519', /public key line/],
  ] as const)
    it(`certifies no OpenSSH key ${line}`, async () => {
      const request = { claims, openSshPublicKey: line, openSshPrincipals: ['alice'] };
      await assert.rejects(issuer.issueUser(request), refusal('invalid_argument', reason));
    });

  it('certifies no OpenSSH key that is too weak', async () => {
    const weak = new WireWriter()
      .string('ssh-rsa')
      .mpint(Buffer.from([1, 0, 1]))
      .mpint(Buffer.alloc(128, 0x81))
      .end();
    const request = { claims, openSshPublicKey: openSshLine(weak), openSshPrincipals: ['alice'] };
    await assert.rejects(issuer.issueUser(request), refusal('invalid_argument', /2048/));
  });

  it('certifies nothing where there is no key, no role and no name', async () => {
    await assert.rejects(issuer.issueUser({ claims }), refusal('invalid_argument', /no public key/));
    await assert.rejects(
      issuer.issueService({ name: 'a', services: [], publicKey }),
      refusal('invalid_argument', /services/),
    );
    await assert.rejects(
      issuer.issueServer({ ca: 'host', names: [], publicKey }),
      refusal('invalid_argument', /names/),
    );
  });

  it('certifies no user without principals for OpenSSH', async () => {
    const request = { claims, openSshPublicKey: ed25519().publicKey };
    await assert.rejects(issuer.issueUser(request), refusal('invalid_argument', /valid for everybody/));
    await assert.rejects(
      issuer.issueUser({ ...request, openSshPrincipals: [] }),
      refusal('invalid_argument', /valid for everybody/),
    );
  });

  it('has a cluster whose name is a DNS name', async () => {
    for (const bad of ['', 'Cluster', 'a..b', 'x'.repeat(65)])
      await assert.rejects(newIssuer({ cluster: bad }), refusal('invalid_argument', /cluster name/));
  });
});
