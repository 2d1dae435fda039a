import assert from 'node:assert/strict';
import {
  serviceOid,
  verifyServiceCertificate,
  verifyUserCertificate,
  type CertificateIssuer,
} from '../../src/certificates/index.js';
import { encodeServiceExtension } from '../../src/certificates/service-extension.js';
import { buildCertificate, keyIdentifier, x509Name } from '../../src/certificates/x509-build.js';
import { clientAuth, serverAuth } from '../../src/certificates/x509-issue.js';
import { authorityKeyIdentifier, encodeExtension, extendedKeyUsage } from '../../src/certificates/x509-extension.js';
import { looseAuthority, period, publicKey } from './forgery.js';
import { claims, cluster, newIssuer, refusal, trustIn } from './support.js';

const now = new Date();

describe('a certificate for another purpose', () => {
  const clock = { now };
  let issuer: CertificateIssuer;
  const names = [`main.db.${cluster}`];

  before(async () => {
    issuer = await newIssuer({ clock });
  });

  const asUser = (pem: string): void => {
    const everything = (['user', 'host', 'db', 'db_client'] as const).flatMap((kind) => trustIn(issuer, kind));
    assert.throws(
      () => verifyUserCertificate(pem, trustIn(issuer, 'user'), now),
      refusal('unauthenticated', /not trusted/),
    );
    // Even a verifier that was handed every authority by mistake takes none of them for a user.
    const mistaken = everything as unknown as Parameters<typeof verifyUserCertificate>[1];
    assert.throws(() => verifyUserCertificate(pem, mistaken, now), refusal('unauthenticated', /not that of a user/));
  };

  it('is not a user: a database client with the user’s name', async () => {
    asUser((await issuer.issueDatabaseClient({ name: 'alice', publicKey })).certificate);
  });

  it('is not a user: a server', async () => {
    asUser((await issuer.issueServer({ ca: 'host', names, publicKey })).certificate);
    asUser((await issuer.issueServer({ ca: 'db', names, publicKey })).certificate);
  });

  it('is not a user: a service named like one', async () => {
    asUser((await issuer.issueService({ name: 'alice', services: ['agent'], publicKey })).certificate);
  });

  it('is not a service: a user named like one', async () => {
    const { tls } = await issuer.issueUser({ claims: { ...claims, user: 'agent-1' }, tlsPublicKey: publicKey });
    const pem = tls?.certificate ?? '';
    assert.equal(verifyUserCertificate(pem, trustIn(issuer, 'user'), now).user, 'agent-1');
    assert.throws(
      () => verifyServiceCertificate(pem, trustIn(issuer, 'host'), 'agent', now),
      refusal('unauthenticated', /not trusted/),
    );
    const mistaken = trustIn(issuer, 'user') as unknown as Parameters<typeof verifyServiceCertificate>[1];
    assert.throws(
      () => verifyServiceCertificate(pem, mistaken, 'agent', now),
      refusal('unauthenticated', /not that of a service/),
    );
  });

  it('is not a service: the server certificate of a resource', async () => {
    const { certificate } = await issuer.issueServer({ ca: 'host', names: [`auth.${cluster}`], publicKey });
    assert.throws(
      () => verifyServiceCertificate(certificate, trustIn(issuer, 'host'), 'auth', now),
      refusal('unauthenticated', /not that of a service/),
    );
  });
});

describe('a service certificate', () => {
  const clock = { now };
  let issuer: CertificateIssuer;

  before(async () => {
    issuer = await newIssuer({ clock });
  });

  it('says which service the other side is', async () => {
    const { certificate, serial, expires } = await issuer.issueService({
      name: 'node-1',
      services: ['proxy', 'agent'],
      publicKey,
    });
    const seen = verifyServiceCertificate(certificate, trustIn(issuer, 'host'), 'proxy', now);
    assert.deepEqual(seen, { cluster, name: 'node-1', services: ['proxy', 'agent'], serial, expires });
  });

  it('of an agent is not that of an Auth Service or a proxy', async () => {
    const { certificate } = await issuer.issueService({ name: 'node-1', services: ['agent'], publicKey });
    for (const role of ['auth', 'proxy'] as const)
      assert.throws(
        () => verifyServiceCertificate(certificate, trustIn(issuer, 'host'), role, now),
        refusal('unauthenticated', new RegExp(`not of the role ${role}`)),
      );
  });

  it('expires', async () => {
    const { certificate, expires } = await issuer.issueService({ name: 'node-1', services: ['agent'], publicKey });
    assert.throws(
      () => verifyServiceCertificate(certificate, trustIn(issuer, 'host'), 'agent', expires),
      refusal('expired', /service certificate expired/),
    );
  });

  it('of another cluster is refused', async () => {
    const { authority, trust } = await looseAuthority('host');
    const value = encodeServiceExtension({ cluster: 'other.test', name: 'a', services: ['agent'] });
    const { pem } = await buildCertificate(
      {
        subject: x509Name([['OU', 'a']]),
        publicKey,
        period,
        extensions: [
          extendedKeyUsage([clientAuth, serverAuth]),
          authorityKeyIdentifier(keyIdentifier(authority.key.publicKey)),
          encodeExtension(serviceOid, value),
        ],
      },
      authority,
    );
    assert.throws(
      () => verifyServiceCertificate(pem, trust, 'agent', now),
      refusal('unauthenticated', /says cluster other\.test/),
    );
  });
});
