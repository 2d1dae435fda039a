import assert from 'node:assert/strict';
import type { TlsCredential } from '@postern/plugin-sdk';
import type { CertificateIssuer } from '../../src/certificates/index.js';
import { ClientCertificates } from '../../src/sessions/index.js';
import { newIssuer, p256, publicPem } from '../certificates/support.js';

const minute = 60_000;
const start = new Date('2026-01-01T00:00:00Z');
const one = { kind: 'test', name: 'one' };

describe('the certificates that an agent keeps', () => {
  const clock = { now: start };
  const publicKey = publicPem(p256().publicKey);
  let issuer: CertificateIssuer;
  let certificates: ClientCertificates;

  before(async () => {
    issuer = await newIssuer({ clock });
  });
  beforeEach(() => {
    clock.now = start;
    const authority = issuer.bundle('db_client');
    certificates = new ClientCertificates({ authority: () => authority, now: () => clock.now, limit: 2 });
  });

  async function issued(name: string): Promise<TlsCredential> {
    const { certificate } = await issuer.issueDatabaseClient({ name, publicKey });
    return { certificate, key: 'the key', authority: 'the authority' };
  }

  it('are found again under their name and resource, and under no other', async () => {
    const app = await issued('app');
    certificates.keep({ resource: one, name: 'app' }, app);
    assert.equal(certificates.find({ resource: one, name: 'app' }), app);
    assert.equal(certificates.find({ resource: one, name: 'root' }), undefined);
    assert.equal(certificates.find({ resource: { kind: 'test', name: 'two' }, name: 'app' }), undefined);
    assert.equal(certificates.find({ resource: { kind: 'other', name: 'one' }, name: 'app' }), undefined);
  });

  it('are not taken for others by a name that looks like two', async () => {
    certificates.keep({ resource: { kind: 'test', name: 'one","x' }, name: 'app' }, await issued('app'));
    assert.equal(certificates.find({ resource: one, name: 'x","app' }), undefined);
  });

  it('are let go when half of their hour is over', async () => {
    certificates.keep({ resource: one, name: 'app' }, await issued('app'));
    clock.now = new Date(start.getTime() + 29 * minute);
    assert.ok(certificates.find({ resource: one, name: 'app' }));
    clock.now = new Date(start.getTime() + 30 * minute);
    assert.equal(certificates.find({ resource: one, name: 'app' }), undefined);
  });

  it('are let go when the authority changes', async () => {
    let authority = issuer.bundle('db_client');
    certificates = new ClientCertificates({ authority: () => authority, now: () => clock.now });
    certificates.keep({ resource: one, name: 'app' }, await issued('app'));
    authority = { ...authority };
    assert.equal(certificates.find({ resource: one, name: 'app' }), undefined);
  });

  it('are never more than the limit: the oldest make room', async () => {
    for (const name of ['a', 'b', 'c']) certificates.keep({ resource: one, name }, await issued(name));
    assert.deepEqual(
      ['a', 'b', 'c'].map((name) => certificates.find({ resource: one, name }) !== undefined),
      [false, true, true],
    );
  });
});
