import assert from 'node:assert/strict';
import { X509Certificate } from 'node:crypto';
import { PosternError } from '@postern/plugin-sdk';
import { verifyUserCertificate, type CertificateIssuer, type IdentityClaims } from '../../src/certificates/index.js';
import { createAuthorityCertificate } from '../../src/certificates/x509-authority.js';
import { issueUserCertificate } from '../../src/certificates/x509-issue.js';
import { looseAuthority, period, publicKey } from './forgery.js';
import { claims, cluster, newIssuer, p256, refusal, signingKey, trustIn } from './support.js';

const hour = 3_600_000;
const now = new Date();
const identity: IdentityClaims = { ...claims, cluster };

describe('a user certificate', () => {
  const clock = { now };
  let issuer: CertificateIssuer;
  let pem = '';

  before(async () => {
    issuer = await newIssuer({ clock });
    pem = (await issuer.issueUser({ claims, tlsPublicKey: publicKey, lifetimeMs: hour })).tls?.certificate ?? '';
  });

  it('says who the user is, as PEM, as DER and as the TLS stack hands it out', () => {
    const certificate = new X509Certificate(pem);
    const seen = [pem, certificate.raw, certificate].map((input) =>
      verifyUserCertificate(input, trustIn(issuer, 'user'), now),
    );
    const expires = new Date(Math.floor((now.getTime() + hour) / 1000) * 1000);
    const want = { ...identity, serial: certificate.serialNumber.toLowerCase(), expires };
    assert.deepEqual(seen, [want, want, want]);
  });

  it('carries everything that a certificate can say', async () => {
    const full = {
      ...claims,
      mfa: { device: 'phone', at: new Date(0) },
      requests: ['request-1'],
      pinnedAddress: '2001:db8::1',
      via: 'web',
      resource: { kind: 'shell', name: 'node1' },
    };
    const { tls } = await issuer.issueUser({ claims: full, tlsPublicKey: publicKey });
    const {
      serial: _,
      expires: __,
      ...seen
    } = verifyUserCertificate(tls?.certificate ?? '', trustIn(issuer, 'user'), now);
    assert.deepEqual(seen, { ...full, cluster });
  });

  it('is good from its first second and expired at its last', () => {
    const { validFrom, validTo } = new X509Certificate(pem);
    const [from, to] = [Date.parse(validFrom), Date.parse(validTo)];
    const at = (ms: number) => verifyUserCertificate(pem, trustIn(issuer, 'user'), new Date(ms));
    assert.equal(at(from).user, 'alice');
    assert.equal(at(to - 1).user, 'alice');
    assert.throws(() => at(from - 1), refusal('unauthenticated', /not valid before/));
    assert.throws(() => at(to), refusal('expired', /expired at/));
  });

  it('tells its owner what to do once it has expired', () => {
    const later = new Date(now.getTime() + 2 * hour);
    assert.throws(
      () => verifyUserCertificate(pem, trustIn(issuer, 'user'), later),
      (error) => PosternError.is(error) && /^your certificate expired at .*; run psh login$/.test(error.publicMessage),
    );
  });

  it('of another authority of the same name is not trusted', async () => {
    const other = await newIssuer();
    assert.throws(
      () => verifyUserCertificate(pem, trustIn(other, 'user'), now),
      refusal('unauthenticated', /authority that is not trusted here: "O=cluster\.test/),
    );
    assert.throws(() => verifyUserCertificate(pem, [], now), refusal('unauthenticated', /not trusted/));
  });

  it('is not trusted once its authority has ended', () => {
    const end = new Date(now.getTime() + 3651 * 24 * hour);
    assert.throws(
      () => verifyUserCertificate(pem, trustIn(issuer, 'user'), end),
      refusal('unauthenticated', /not trusted/),
    );
  });

  it('that is self-signed is not trusted', async () => {
    const key = signingKey(p256().privateKey);
    const self = await createAuthorityCertificate(cluster, 'user', key, now);
    assert.throws(
      () => verifyUserCertificate(self, trustIn(issuer, 'user'), now),
      refusal('unauthenticated', /self-signed/),
    );
  });

  it('is not the certificate of the authority itself', async () => {
    const { trust, pem: authority } = await looseAuthority('user');
    assert.throws(() => verifyUserCertificate(authority, trust, now), refusal('unauthenticated', /it is an authority/));
  });

  it('with a changed byte is refused, wherever the byte is', () => {
    const trust = trustIn(issuer, 'user');
    const der = new X509Certificate(pem).raw;
    for (let i = 0; i < der.length; i += process.env['POSTERN_TEST_FULL'] === '1' ? 1 : 7) {
      const changed = Buffer.from(der);
      changed[i] = (changed[i] ?? 0) ^ 0x01;
      assert.throws(
        () => verifyUserCertificate(changed, trust, now),
        (error) => PosternError.is(error) && error.code === 'unauthenticated',
        `byte ${i}`,
      );
    }
  });

  it('cut off anywhere is refused', () => {
    const trust = trustIn(issuer, 'user');
    const der = new X509Certificate(pem).raw;
    for (let length = 0; length < der.length; length += 5)
      assert.throws(
        () => verifyUserCertificate(der.subarray(0, length), trust, now),
        refusal('unauthenticated', /malformed/),
      );
  });

  it('that is longer than any we issue is refused unread', () => {
    assert.throws(
      () => verifyUserCertificate(Buffer.alloc(70_000), trustIn(issuer, 'user'), now),
      refusal('unauthenticated', /too long/),
    );
  });

  it('of a cluster that is not its authority’s is refused', async () => {
    const { authority, trust } = await looseAuthority('user');
    const foreign = { publicKey, period, claims: { ...identity, cluster: 'root.test' } };
    const { pem: certificate } = await issueUserCertificate(foreign, authority);
    assert.throws(
      () => verifyUserCertificate(certificate, trust, now),
      refusal('unauthenticated', /says cluster root\.test, its authority is that of cluster\.test/),
    );
  });

  it('of a trusted cluster is that cluster’s user', async () => {
    const root = await newIssuer({ cluster: 'root.test' });
    const { tls } = await root.issueUser({ claims, tlsPublicKey: publicKey });
    const trust = [...trustIn(issuer, 'user'), ...trustIn(root, 'user')];
    assert.equal(verifyUserCertificate(tls?.certificate ?? '', trust, new Date()).cluster, 'root.test');
    assert.equal(verifyUserCertificate(pem, trust, now).cluster, cluster);
  });
});
