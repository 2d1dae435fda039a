import assert from 'node:assert/strict';
import { X509Certificate } from 'node:crypto';
import type { AuthorityKind } from '../../src/certificates/index.js';
import type { Period } from '../../src/certificates/lifetime.js';
import { createAuthorityCertificate, openAuthority } from '../../src/certificates/x509-authority.js';
import { buildCertificate, keyIdentifier, x509Name } from '../../src/certificates/x509-build.js';
import { extensionKey, readCertificateFields } from '../../src/certificates/x509-fields.js';
import { issueServerCertificate } from '../../src/certificates/x509-issue.js';
import { authorityKeyIdentifier } from '../../src/certificates/x509-extension.js';
import { cluster, inDirectory, output, p256, refusal, signingKey } from './support.js';
import {
  BasicConstraintsExtension,
  KeyUsageFlags,
  KeyUsagesExtension,
  SubjectAlternativeNameExtension,
  encoded,
} from './x509-library.js';

const now = new Date();
const period: Period = { notBefore: now, notAfter: new Date(now.getTime() + 3_600_000) };

async function newAuthority(kind: AuthorityKind) {
  const key = signingKey(p256().privateKey);
  const pem = await createAuthorityCertificate(cluster, kind, key, now);
  return { pem, authority: openAuthority(kind, pem, key) };
}

/** What openssl says of a chain: `OK`, or its complaint. */
const verdict = (ca: string, leaf: string, ...options: string[]): string =>
  inDirectory({ 'ca.pem': ca, 'leaf.pem': leaf }, (directory) => {
    try {
      const args = ['verify', '-x509_strict', ...options, '-CAfile', `${directory}/ca.pem`, `${directory}/leaf.pem`];
      return output('openssl', ...args)
        .trim()
        .endsWith('OK')
        ? 'OK'
        : 'no verdict';
    } catch (error) {
      return String((error as { stderr: string }).stderr);
    }
  });

describe('an X.509 authority', () => {
  it('has a certificate that openssl takes for a root', async () => {
    for (const kind of ['user', 'host', 'db', 'db_client'] as const) {
      const { pem } = await newAuthority(kind);
      assert.equal(verdict(pem, pem, '-check_ss_sig'), 'OK');
    }
  });

  it('may sign certificates, has nothing below it but leaves, and lasts ten years', async () => {
    const { pem } = await newAuthority('user');
    const text = inDirectory({ 'ca.pem': pem }, (directory) =>
      output('openssl', 'x509', '-in', `${directory}/ca.pem`, '-noout', '-text'),
    );
    assert.match(text, /Basic Constraints: critical\s+CA:TRUE, pathlen:0/);
    assert.match(text, /Key Usage: critical\s+Certificate Sign, CRL Sign/);
    const { notBefore, notAfter } = readCertificateFields(new X509Certificate(pem).raw);
    assert.equal(Math.round((notAfter.getTime() - notBefore.getTime()) / 86_400_000), 3650);
  });

  it('is held to the names of its cluster where it certifies servers, and only there', async () => {
    for (const { kind, constrained } of [
      { kind: 'host', constrained: true },
      { kind: 'db', constrained: true },
      { kind: 'user', constrained: false },
      { kind: 'db_client', constrained: false },
    ] as const) {
      const { pem } = await newAuthority(kind);
      const fields = readCertificateFields(new X509Certificate(pem).raw);
      assert.equal(fields.extensions.has(extensionKey('2.5.29.30')), constrained, kind);
    }
  });

  it('is refused with the key of another', async () => {
    const { pem } = await newAuthority('host');
    assert.throws(
      () => openAuthority('host', pem, signingKey(p256().privateKey)),
      refusal('internal', /not that of its certificate/),
    );
  });

  const names = [
    { name: 'cluster.test', want: /^OK$/ },
    { name: 'auth.cluster.test', want: /^OK$/ },
    { name: 'main.db.cluster.test', want: /^OK$/ },
    { name: 'example.org', want: /permitted subtree violation/ },
    { name: 'evilcluster.test', want: /permitted subtree violation/ },
    { name: 'cluster.test.example.org', want: /permitted subtree violation/ },
  ];
  for (const { name, want } of names)
    it(`${want.test('OK') ? 'can' : 'cannot'} certify ${name}, says openssl`, async () => {
      const { pem, authority } = await newAuthority('host');
      const leaf = await issueServerCertificate({ publicKey: p256().publicKey, period, names: [name] }, authority);
      assert.match(verdict(pem, leaf.pem, '-purpose', 'sslserver'), want);
    });

  const otherForms = [
    { type: 'ip', value: '127.0.0.1', want: /excluded subtree violation/ },
    { type: 'ip', value: '2001:db8::1', want: /excluded subtree violation/ },
    { type: 'email', value: 'root@example.org', want: /permitted subtree violation/ },
    { type: 'url', value: 'https://example.org/', want: /permitted subtree violation/ },
  ] as const;
  for (const { type, value, want } of otherForms)
    it(`cannot certify ${value} either`, async () => {
      const { pem, authority } = await newAuthority('host');
      const { publicKey } = p256();
      const extensions = [
        encoded(new SubjectAlternativeNameExtension([{ type, value }])),
        authorityKeyIdentifier(keyIdentifier(authority.key.publicKey)),
      ];
      const subject = x509Name([['OU', 'x']]);
      const leaf = await buildCertificate({ subject, publicKey, period, extensions }, authority);
      assert.match(verdict(pem, leaf.pem), want);
    });

  it('writes its times as openssl reads them, on both sides of the year 2050', async () => {
    const { authority } = await newAuthority('host');
    const lasting = { notBefore: new Date('2049-12-31T23:59:59Z'), notAfter: new Date('2050-01-01T00:00:00Z') };
    const leaf = await issueServerCertificate(
      { publicKey: p256().publicKey, period: lasting, names: [`a.${cluster}`] },
      authority,
    );
    const said = inDirectory({ 'leaf.pem': leaf.pem }, (directory) =>
      output('openssl', 'x509', '-in', `${directory}/leaf.pem`, '-noout', '-dates'),
    );
    assert.match(said, /notBefore=Dec 31 23:59:59 2049 GMT\s+notAfter=Jan {2}1 00:00:00 2050 GMT/);
    const { notBefore, notAfter } = readCertificateFields(new X509Certificate(leaf.pem).raw);
    assert.deepEqual({ notBefore, notAfter }, lasting);
  });

  it('cannot certify a foreign name by the subject alone', async () => {
    const { pem, authority } = await newAuthority('host');
    const subject = x509Name([['CN', 'www.example.org']]);
    const extensions = [authorityKeyIdentifier(keyIdentifier(authority.key.publicKey))];
    const leaf = await buildCertificate({ subject, publicKey: p256().publicKey, period, extensions }, authority);
    assert.match(verdict(pem, leaf.pem), /permitted subtree violation/);
  });

  it('cannot have an authority below it', async () => {
    const { pem, authority } = await newAuthority('host');
    const below = signingKey(p256().privateKey);
    const subject = x509Name([['CN', 'below']]);
    const middle = await buildCertificate(
      {
        subject,
        publicKey: below.publicKey,
        period,
        extensions: [
          encoded(new BasicConstraintsExtension(true, undefined, true)),
          encoded(new KeyUsagesExtension(KeyUsageFlags.keyCertSign, true)),
          authorityKeyIdentifier(keyIdentifier(authority.key.publicKey)),
        ],
      },
      authority,
    );
    const issuer = openAuthority('host', middle.pem, below);
    const leaf = await issueServerCertificate({ publicKey: p256().publicKey, period, names: [`a.${cluster}`] }, issuer);
    const said = inDirectory({ 'ca.pem': pem, 'middle.pem': middle.pem, 'leaf.pem': leaf.pem }, (directory) => {
      const at = (name: string): string => `${directory}/${name}.pem`;
      try {
        return output('openssl', 'verify', '-CAfile', at('ca'), '-untrusted', at('middle'), at('leaf'));
      } catch (error) {
        return String((error as { stderr: string }).stderr);
      }
    });
    assert.match(said, /path length constraint exceeded/);
  });
});
