import assert from 'node:assert/strict';
import { generateKeyPairSync } from 'node:crypto';
import {
  EnvelopeSealer,
  isOfActiveKey,
  rotateAuthority,
  trustAuthority,
  verifyServiceCertificate,
  type AuthorityStoreOptions,
  type CertificateIssuer,
  type RotationStep,
} from '../../src/certificates/index.js';
import { sealedAuthorityPrefix } from '../../src/certificates/sealed-authority.js';
import { cluster, memoryWrapper, MemoryStore, newIssuer, refusal } from './support.js';

describe('an authority in the store', () => {
  let store: MemoryStore;
  let options: AuthorityStoreOptions;
  let issuer: CertificateIssuer;

  beforeEach(async () => {
    store = new MemoryStore();
    const sealer = new EnvelopeSealer(memoryWrapper());
    options = { store, sealer, cluster, now: () => new Date() };
    issuer = await newIssuer({ store, sealer });
  });

  async function take(step: RotationStep): Promise<void> {
    const { phase } = issuer.keySet('host');
    await issuer.follow(await rotateAuthority({ kind: 'host', step, from: phase }, options));
  }

  async function service(): Promise<string> {
    const { publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    return (await issuer.issueService({ name: 'proxy', services: ['proxy'], publicKey })).certificate;
  }

  const believed = (certificate: string): string =>
    verifyServiceCertificate(certificate, [trustAuthority(issuer.bundle('host'))], 'proxy', new Date()).name;

  const sealed = (): number =>
    [...store.entries.keys()].filter((key) => key.startsWith(`${sealedAuthorityPrefix}host/`)).length;

  it('certifies by the new key after its switch, and believes the old one until the end', async () => {
    const old = await service();
    for (const step of ['start', 'advance'] as const) {
      await take(step);
      assert.ok(isOfActiveKey(old, issuer.keySet('host')));
      assert.ok(isOfActiveKey(await service(), issuer.keySet('host')));
    }
    await take('advance');
    const renewed = await service();
    assert.ok(!isOfActiveKey(old, issuer.keySet('host')));
    assert.ok(isOfActiveKey(renewed, issuer.keySet('host')));
    assert.deepEqual([believed(old), believed(renewed)], ['proxy', 'proxy']);
    await take('advance');
    assert.equal(believed(renewed), 'proxy');
    assert.throws(() => believed(old), refusal('unauthenticated', /not trusted/));
  });

  it('tells the host certificates of OpenSSH apart by their key as well', async () => {
    const { publicKey } = generateKeyPairSync('ed25519');
    const { certificate } = await issuer.issueOpenSshHost({ principals: [`n.${cluster}`], publicKey });
    assert.ok(isOfActiveKey(certificate, issuer.keySet('host')));
    for (const step of ['start', 'advance', 'advance'] as const) await take(step);
    assert.ok(!isOfActiveKey(certificate, issuer.keySet('host')));
  });

  it('keeps the private halves of both keys on the way, and of one at its end', async () => {
    const counts = [sealed()];
    for (const step of ['start', 'advance', 'advance', 'advance'] as const) {
      await take(step);
      counts.push(sealed());
    }
    assert.deepEqual(counts, [1, 2, 2, 2, 1]);
    // What is left opens.
    await newIssuer({ store, sealer: options.sealer });
  });

  it('forgets the new key where the rotation was taken back', async () => {
    const before = issuer.keySet('host').active;
    for (const step of ['start', 'advance', 'rollback', 'advance'] as const) await take(step);
    assert.deepEqual([issuer.keySet('host').active, sealed()], [before, 1]);
  });

  it('takes one step where two ask for it at once', async () => {
    const both = await Promise.allSettled(
      [1, 2].map(() => rotateAuthority({ kind: 'host', step: 'start', from: 'standby' }, options)),
    );
    assert.deepEqual(both.map(({ status }) => status).sort(), ['fulfilled', 'rejected']);
    assert.equal(sealed(), 2);
  });

  it('takes no step from a phase that is over', async () => {
    await take('start');
    await assert.rejects(
      rotateAuthority({ kind: 'host', step: 'advance', from: 'standby' }, options),
      refusal('conflict', /in phase init and not standby/),
    );
  });

  it('goes on signing by the old key where the new one does not open', async () => {
    const before = issuer.keySet('host').active[0];
    await take('start');
    await take('advance');
    const after = await rotateAuthority({ kind: 'host', step: 'advance', from: 'update_clients' }, options);
    store.entries.delete(`${sealedAuthorityPrefix}host/${after.active[0]}`);
    await assert.rejects(issuer.follow(after), refusal('internal', /missing/));
    assert.equal(issuer.keySet('host').active[0], before);
  });
});
