import assert from 'node:assert/strict';
import { createPublicKey, verify, X509Certificate } from 'node:crypto';
import { SqliteStore } from '../../src/storage/index.js';
import { SigningKey } from '../../src/certificates/signing-key.js';
import {
  authorityBundle,
  authorityKinds,
  authorityPrefix,
  CertificateIssuer,
  decodeKeySet,
  EnvelopeSealer,
  sealedAuthorityPrefix,
  trustAuthority,
  verifyUserCertificate,
  type KeySet,
} from '../../src/certificates/index.js';
import { claims, cluster, memoryWrapper, MemoryStore, newIssuer, p256, refusal } from './support.js';

const now = (): Date => new Date();

describe("the cluster's authorities", () => {
  it('are made at the first start, each with its own key and the halves of its kind', async () => {
    const issuer = await newIssuer();
    const halves = authorityKinds.map((kind) => {
      const { x509, openSsh, jwks, audit } = issuer.bundle(kind);
      return [kind, x509.length, openSsh.length, jwks.length, audit.length];
    });
    assert.deepEqual(halves, [
      ['user', 1, 1, 0, 0],
      ['host', 1, 1, 0, 0],
      ['db', 1, 0, 0, 0],
      ['db_client', 1, 0, 0, 0],
      ['openssh', 0, 1, 0, 0],
      ['jwt', 0, 0, 1, 0],
      ['audit', 0, 0, 0, 1],
    ]);
    const keys = authorityKinds.flatMap((kind) => {
      const { x509, openSsh, jwks, audit } = issuer.bundle(kind);
      const spki = x509.map((pem) => new X509Certificate(pem).publicKey.export({ format: 'pem', type: 'spki' }));
      return [...spki, ...openSsh, ...jwks.map(({ x }) => x), ...audit.map(({ publicKey }) => publicKey)];
    });
    assert.equal(new Set(keys).size, 9);
  });

  it('are the same after a restart, in a real store', async () => {
    await using store = await SqliteStore.open({ path: ':memory:' });
    const sealer = new EnvelopeSealer(memoryWrapper());
    const before = await CertificateIssuer.open({ store, sealer, cluster, now });
    const after = await CertificateIssuer.open({ store, sealer, cluster, now });
    for (const kind of authorityKinds) assert.deepEqual(after.bundle(kind), before.bundle(kind));
    const { tls } = await after.issueUser({ claims, tlsPublicKey: p256().publicKey });
    const trust = [trustAuthority(before.bundle('user'))];
    assert.equal(verifyUserCertificate(tls?.certificate ?? '', trust, now()).user, 'alice');
  });

  it('are one set, however many Auth Services start at once', async () => {
    await using store = await SqliteStore.open({ path: ':memory:' });
    const sealer = new EnvelopeSealer(memoryWrapper());
    const issuers = await Promise.all(
      Array.from({ length: 4 }, () => CertificateIssuer.open({ store, sealer, cluster, now })),
    );
    for (const kind of authorityKinds)
      assert.equal(new Set(issuers.map((issuer) => JSON.stringify(issuer.bundle(kind)))).size, 1);
    assert.equal((await store.range(sealedAuthorityPrefix)).length, authorityKinds.length);
  });

  it('are completed where a start was cut off in the middle', async () => {
    const store = new MemoryStore();
    const sealer = new EnvelopeSealer(memoryWrapper());
    let commits = 0;
    store.beforeCommit = async () => {
      commits += 1;
      if (commits > 3) throw new Error('power failure');
    };
    await assert.rejects(newIssuer({ store, sealer }), /power failure/);
    store.beforeCommit = async () => {};
    const kept = [...store.entries.values()].filter(({ key }) => key.startsWith(authorityPrefix));
    await newIssuer({ store, sealer });
    for (const entry of kept) assert.equal(store.entries.get(entry.key), entry);
    assert.equal(store.entries.size, 2 * authorityKinds.length);
  });

  it('keep no private key in the public part, and no readable one in the store', async () => {
    const store = new MemoryStore();
    await newIssuer({ store });
    const text = [...store.entries.values()].map(({ value }) => value).join('\n');
    assert.ok(!text.includes('PRIVATE'));
    for (const { key, value } of store.entries.values())
      if (key.startsWith(authorityPrefix)) assert.doesNotMatch(value, /sealed|"d":/);
  });

  it('do not open for another cluster', async () => {
    const store = new MemoryStore();
    const sealer = new EnvelopeSealer(memoryWrapper());
    await newIssuer({ store, sealer });
    await assert.rejects(
      newIssuer({ store, sealer, cluster: 'other.test' }),
      refusal('invalid_config', /belongs to cluster cluster\.test/),
    );
  });

  it('do not open with another wrapping key, and are not made anew', async () => {
    const store = new MemoryStore();
    await newIssuer({ store });
    const before = new Map(store.entries);
    await assert.rejects(newIssuer({ store }), refusal('internal', /does not open/));
    assert.deepEqual(store.entries, before);
  });

  it('do not sign with a key that was moved from another authority', async () => {
    const store = new MemoryStore();
    const sealer = new EnvelopeSealer(memoryWrapper());
    await newIssuer({ store, sealer });
    const sealedOf = (kind: string) =>
      [...store.entries.keys()].find((key) => key.startsWith(`${sealedAuthorityPrefix}${kind}/`)) ?? '';
    const stolen = store.entries.get(sealedOf('db_client'));
    assert.ok(stolen);
    store.entries.set(sealedOf('db'), { ...stolen, key: sealedOf('db') });
    await assert.rejects(newIssuer({ store, sealer }), refusal('internal', /does not open/));
  });

  const damages = [
    { name: 'no JSON', value: () => '{' },
    {
      name: 'an active key that is not trusted',
      value: (set: KeySet) => JSON.stringify({ ...set, active: ['0'.repeat(32)] }),
    },
    { name: 'no active key', value: (set: KeySet) => JSON.stringify({ ...set, active: [] }) },
    { name: 'a key that lacks its half', value: (set: KeySet) => JSON.stringify({ ...set, kind: 'openssh' }) },
    {
      name: 'a key twice',
      value: (set: KeySet) => JSON.stringify({ ...set, trusted: [...set.trusted, ...set.trusted] }),
    },
    { name: 'the version of another program', value: (set: KeySet) => JSON.stringify({ ...set, v: 2 }) },
  ];
  for (const { name, value } of damages)
    it(`do not open from a document with ${name}`, async () => {
      const store = new MemoryStore();
      const sealer = new EnvelopeSealer(memoryWrapper());
      await newIssuer({ store, sealer });
      const key = `${authorityPrefix}db`;
      const entry = store.entries.get(key);
      assert.ok(entry);
      store.entries.set(key, { ...entry, value: value(decodeKeySet(entry.value)) });
      await assert.rejects(newIssuer({ store, sealer }), refusal('internal', /malformed/));
    });

  for (const value of ['{', '{"v":1}', '{"v":1,"halves":{}}', '{"v":1,"halves":{"x509":"x"}}'])
    it(`do not open from the sealed document ${value}`, async () => {
      const store = new MemoryStore();
      const sealer = new EnvelopeSealer(memoryWrapper());
      await newIssuer({ store, sealer });
      const key = [...store.entries.keys()].find((name) => name.startsWith(`${sealedAuthorityPrefix}db/`)) ?? '';
      store.entries.set(key, { key, value, revision: 99 });
      await assert.rejects(newIssuer({ store, sealer }), refusal('internal', /malformed|missing|sealed text/));
    });

  it('trust the old key and the new one while a rotation is under way', async () => {
    const [store, other] = [new MemoryStore(), new MemoryStore()];
    const sealer = new EnvelopeSealer(memoryWrapper());
    const key = `${authorityPrefix}user`;
    const [old, next] = await Promise.all([newIssuer({ store, sealer }), newIssuer({ store: other, sealer })]);
    const [oldSet, newSet] = [store, other].map(({ entries }) => decodeKeySet(entries.get(key)?.value ?? ''));
    assert.ok(oldSet && newSet);
    const rotating: KeySet = {
      ...oldSet,
      phase: 'update_clients',
      active: newSet.active,
      ...(newSet.active[0] !== undefined && { incoming: newSet.active[0] }),
      trusted: [...oldSet.trusted, ...newSet.trusted],
    };
    store.entries.set(key, { key, value: JSON.stringify(rotating), revision: 99 });
    for (const [name, entry] of other.entries)
      if (name.startsWith(`${sealedAuthorityPrefix}user/`)) store.entries.set(name, entry);
    const rotated = await newIssuer({ store, sealer });
    const trust = [trustAuthority(rotated.bundle('user'))];
    for (const issuer of [old, next, rotated]) {
      const { tls } = await issuer.issueUser({ claims, tlsPublicKey: p256().publicKey });
      assert.equal(verifyUserCertificate(tls?.certificate ?? '', trust, now()).user, 'alice');
    }
    const { tls } = await rotated.issueUser({ claims, tlsPublicKey: p256().publicKey });
    assert.throws(
      () => verifyUserCertificate(tls?.certificate ?? '', [trustAuthority(old.bundle('user'))], now()),
      refusal('unauthenticated', /not trusted/),
    );
  });

  it('have public halves that travel as JSON and are checked on arrival', async () => {
    const issuer = await newIssuer();
    for (const kind of authorityKinds) {
      const bundle = issuer.bundle(kind);
      assert.deepEqual(authorityBundle.parse(JSON.parse(JSON.stringify(bundle))), bundle);
    }
    assert.equal(authorityBundle.safeParse({ ...issuer.bundle('user'), secret: 'x' }).success, false);
    const malformed = {
      ...issuer.bundle('user'),
      x509: ['-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----'],
    };
    assert.throws(
      () => trustAuthority(malformed),
      refusal('unauthenticated', /user authority of cluster\.test is malformed/),
    );
  });

  it('sign the heads of the log with a key that the bundle publishes', async () => {
    const issuer = await newIssuer();
    const bytes = Buffer.from('checkpoint');
    const signer = issuer.auditKey();
    const published = issuer.bundle('audit').audit.find(({ id }) => id === signer.id);
    assert.ok(verify(null, bytes, createPublicKey(published?.publicKey ?? ''), await signer.sign(bytes)));
  });
});

describe('a signing key', () => {
  it('shows nothing of itself when it is printed, joined or serialised', async () => {
    const { key, pkcs8 } = await SigningKey.generate('ed25519');
    const { inspect } = await import('node:util');
    const shown = `${inspect(key, { depth: 9, showHidden: true })}${JSON.stringify(key)}${Object.keys(key).join()}`;
    assert.ok(!shown.includes(pkcs8.subarray(-32).toString('hex')));
    assert.doesNotMatch(shown, /private/i);
  });

  it('is refused without quoting what does not parse', () => {
    assert.throws(
      () => SigningKey.fromPkcs8(Buffer.from('not a key')),
      (error: Error) => {
        assert.equal(error.cause, undefined);
        return refusal('internal', /PKCS#8/)(error);
      },
    );
  });
});
