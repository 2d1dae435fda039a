import assert from 'node:assert/strict';
import {
  encodeOpenSshKey,
  identityExtensionName,
  openSshLine,
  parseOpenSshCertificate,
  parseOpenSshLine,
  verifyOpenSshCertificate,
  verifyOpenSshHostCertificate,
  verifyOpenSshUserCertificate,
  type CertificateIssuer,
  type TrustedAuthority,
} from '../../src/certificates/index.js';
import { encodeIdentity } from '../../src/certificates/identity-extension.js';
import { issueOpenSshCertificate } from '../../src/certificates/openssh-issue.js';
import {
  claims,
  cluster,
  ed25519,
  inDirectory,
  newIssuer,
  output,
  p256,
  publicPem,
  refusal,
  signingKey,
  trustIn,
} from './support.js';

const now = new Date();
const identity = { ...claims, cluster };

describe('an OpenSSH user certificate', () => {
  const clock = { now };
  let issuer: CertificateIssuer;

  before(async () => {
    issuer = await newIssuer({ clock });
  });

  async function issue(changes: object = {}): Promise<{ blob: Buffer; serial: string }> {
    const { openSsh } = await issuer.issueUser({
      claims: { ...claims, ...changes },
      openSshPublicKey: ed25519().publicKey,
      openSshPrincipals: ['alice', 'deploy'],
      openSshPermissions: { pty: true, portForwarding: true },
    });
    assert.ok(openSsh);
    return { blob: parseOpenSshLine(openSsh.certificate), serial: openSsh.serial };
  }

  it('says who the user is, by the name that the log and the locks use', async () => {
    const { blob, serial } = await issue();
    assert.match(serial, /^[4-7][0-9a-f]{15}$/);
    const { expires, ...seen } = verifyOpenSshUserCertificate(blob, trustIn(issuer, 'user'), now);
    assert.deepEqual(seen, { ...identity, serial });
    assert.equal(expires.getTime(), Math.floor((now.getTime() + 12 * 3_600_000) / 1000) * 1000);
    assert.throws(
      () => verifyOpenSshUserCertificate(blob, trustIn(issuer, 'user'), expires),
      refusal('expired', /expired/),
    );
  });

  it('permits what was asked for and nothing else', async () => {
    const { extensions } = parseOpenSshCertificate((await issue()).blob);
    assert.deepEqual([...extensions.keys()], [identityExtensionName, 'permit-port-forwarding', 'permit-pty']);
  });

  it('is tied to the address of its user', async () => {
    const { blob } = await issue({ pinnedAddress: '2001:db8::1' });
    assert.deepEqual([...parseOpenSshCertificate(blob).criticalOptions], [['source-address', '2001:db8::1/128']]);
    const seen = verifyOpenSshUserCertificate(blob, trustIn(issuer, 'user'), now);
    assert.equal(seen.pinnedAddress, '2001:db8::1');
  });

  it('is issued for a key in each of the three forms', async () => {
    const { publicKey } = p256();
    for (const openSshPublicKey of [
      publicKey,
      publicPem(publicKey),
      `${openSshLine(encodeOpenSshKey(publicKey), 'a b')}\n`,
    ]) {
      const { openSsh } = await issuer.issueUser({ claims, openSshPublicKey, openSshPrincipals: ['alice'] });
      const { key } = parseOpenSshCertificate(parseOpenSshLine(openSsh?.certificate ?? ''));
      assert.deepEqual(key, encodeOpenSshKey(publicKey));
    }
  });

  it('does not take the place of another: the same key, another authority', async () => {
    const other = await newIssuer();
    const { blob } = await issue();
    assert.throws(
      () => verifyOpenSshUserCertificate(blob, trustIn(other, 'user'), now),
      refusal('unauthenticated', /not trusted/),
    );
  });

  it('of the agentless authority is no user of the cluster', async () => {
    const { certificate } = await issuer.issueOpenSshLogin({
      login: 'alice',
      keyId: 'alice',
      publicKey: ed25519().publicKey,
    });
    const blob = parseOpenSshLine(certificate);
    assert.throws(
      () => verifyOpenSshUserCertificate(blob, trustIn(issuer, 'user'), now),
      refusal('unauthenticated', /not trusted/),
    );
    const mistaken = trustIn(issuer, 'openssh') as unknown as TrustedAuthority<'user'>[];
    assert.throws(
      () => verifyOpenSshUserCertificate(blob, mistaken, now),
      refusal('unauthenticated', /does not say who/),
    );
  });

  it('of the agentless authority is for one login and an hour at most', async () => {
    const { certificate, expires } = await issuer.issueOpenSshLogin({
      login: 'root',
      keyId: 'alice, session 0f3a',
      pinnedAddress: '10.1.2.3',
      permissions: { pty: true },
      lifetimeMs: 1e9,
      publicKey: ed25519().publicKey,
    });
    assert.ok(expires.getTime() - now.getTime() <= 3_600_000);
    const shown = inDirectory({ 'key-cert.pub': certificate }, (directory) =>
      output('ssh-keygen', '-L', '-f', `${directory}/key-cert.pub`),
    );
    assert.match(
      shown,
      /Key ID: "alice, session 0f3a"\n.*\n.*\n\s+Principals: \n\s+root\n\s+Critical Options: \n\s+source-address 10\.1\.2\.3\/32\n\s+Extensions: \n\s+permit-pty\n$/,
    );
    const trust = trustIn(issuer, 'openssh');
    const expected = { kind: 'user' as const, trust, now, enforced: ['source-address'], remedy: '' };
    const blob = parseOpenSshLine(certificate);
    assert.ok(verifyOpenSshCertificate(blob, { ...expected, principal: { name: 'root' } }));
    assert.throws(
      () => verifyOpenSshCertificate(blob, { ...expected, principal: { name: 'alice' } }),
      refusal('unauthenticated', /not good for/),
    );
    const bad = { login: 'root', keyId: 'a\nb', publicKey: ed25519().publicKey };
    await assert.rejects(issuer.issueOpenSshLogin(bad), refusal('invalid_argument', /key id/));
  });

  const authority = ed25519();
  const authorityBlob = encodeOpenSshKey(authority.publicKey);
  const trust: TrustedAuthority<'user'>[] = [
    { kind: 'user', cluster, x509: [], openSsh: [{ blob: authorityBlob, key: authority.publicKey }] },
  ];
  const forgeries = [
    { name: 'says nobody', extensions: [], reason: /does not say who/ },
    {
      name: 'says another cluster',
      identity: { ...identity, cluster: 'root.test' },
      reason: /says cluster root\.test/,
    },
    { name: 'says another user than its key id', identity: { ...identity, user: 'root' }, reason: /key id/ },
    { name: 'says no JSON', extensions: [[identityExtensionName, '{']], reason: /not JSON/ },
    { name: 'says a flag', extensions: [[identityExtensionName, '']], reason: /not JSON/ },
    {
      name: 'pins nothing where the user is pinned',
      identity: { ...identity, pinnedAddress: '10.0.0.1' },
      reason: /pins another/,
    },
    { name: 'pins where the user is not pinned', options: [['source-address', '10.0.0.1/32']], reason: /pins another/ },
    {
      name: 'pins a wider network than the user',
      identity: { ...identity, pinnedAddress: '10.0.0.1' },
      options: [['source-address', '10.0.0.1/32,0.0.0.0/0']],
      reason: /pins another/,
    },
  ] as const;
  for (const forgery of forgeries)
    it(`is refused where it ${forgery.name}, even when its authority signed that`, async () => {
      const said = 'identity' in forgery ? forgery.identity : identity;
      const extensions =
        'extensions' in forgery ? forgery.extensions : [[identityExtensionName, encodeIdentity(said)] as const];
      const { blob } = await issueOpenSshCertificate(
        {
          kind: 'user',
          key: ed25519().publicKey,
          keyId: 'alice',
          principals: ['alice'],
          period: { notBefore: new Date(0), notAfter: new Date(now.getTime() + 60_000) },
          criticalOptions: 'options' in forgery ? forgery.options : [],
          extensions: extensions as readonly (readonly [string, string])[],
        },
        signingKey(authority.privateKey),
      );
      assert.throws(() => verifyOpenSshUserCertificate(blob, trust, now), refusal('unauthenticated', forgery.reason));
    });
});

describe('an OpenSSH host certificate', () => {
  const clock = { now };
  let issuer: CertificateIssuer;
  const name = `node1.shell.${cluster}`;

  before(async () => {
    issuer = await newIssuer({ clock });
  });

  it('is good for its names', async () => {
    const { certificate } = await issuer.issueOpenSshHost({
      principals: [name, `id1.${cluster}`],
      publicKey: ed25519().publicKey,
    });
    const blob = parseOpenSshLine(certificate);
    for (const one of [name, `id1.${cluster}`])
      assert.equal(verifyOpenSshHostCertificate(blob, trustIn(issuer, 'host'), one, now).kind, 'host');
    assert.throws(
      () => verifyOpenSshHostCertificate(blob, trustIn(issuer, 'host'), `node2.shell.${cluster}`, now),
      refusal('unauthenticated', /not good for/),
    );
    const shown = inDirectory({ 'key-cert.pub': certificate }, (directory) =>
      output('ssh-keygen', '-L', '-f', `${directory}/key-cert.pub`),
    );
    assert.match(shown, /host certificate/);
  });

  it('is no user certificate, and the other way round', async () => {
    const host = await issuer.issueOpenSshHost({ principals: [name], publicKey: ed25519().publicKey });
    const mistaken = trustIn(issuer, 'host') as unknown as TrustedAuthority<'user'>[];
    assert.throws(
      () => verifyOpenSshUserCertificate(parseOpenSshLine(host.certificate), mistaken, now),
      refusal('unauthenticated', /it is a host certificate/),
    );
    const user = await issuer.issueUser({ claims, openSshPublicKey: ed25519().publicKey, openSshPrincipals: [name] });
    const trust = trustIn(issuer, 'user') as unknown as TrustedAuthority<'host'>[];
    assert.throws(
      () => verifyOpenSshHostCertificate(parseOpenSshLine(user.openSsh?.certificate ?? ''), trust, name, now),
      refusal('unauthenticated', /it is a user certificate/),
    );
  });

  it('outside its cluster is refused, even when its authority signed it', async () => {
    const authority = ed25519();
    const blob = encodeOpenSshKey(authority.publicKey);
    const trust: TrustedAuthority<'host'>[] = [
      { kind: 'host', cluster, x509: [], openSsh: [{ blob, key: authority.publicKey }] },
    ];
    const certificate = await issueOpenSshCertificate(
      {
        kind: 'host',
        key: ed25519().publicKey,
        keyId: 'x',
        principals: ['example.org'],
        period: { notBefore: new Date(0), notAfter: new Date(now.getTime() + 60_000) },
      },
      signingKey(authority.privateKey),
    );
    assert.throws(
      () => verifyOpenSshHostCertificate(certificate.blob, trust, 'example.org', now),
      refusal('unauthenticated', /not inside cluster\.test/),
    );
  });
});
