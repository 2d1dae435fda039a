import assert from 'node:assert/strict';
import { createPublicKey } from 'node:crypto';
import fc from 'fast-check';
import { encodeOpenSshKey, parseOpenSshCertificate, verifyOpenSshCertificate } from '../../src/certificates/index.js';
import { encodeOpenSshBody, type OpenSshCertificateBody } from '../../src/certificates/openssh-certificate.js';
import { issueOpenSshCertificate } from '../../src/certificates/openssh-issue.js';
import { WireWriter } from '../../src/certificates/openssh-wire.js';
import { expectation, keyTypes, trusting } from './openssh-support.js';
import { ed25519, refusal, signingKey } from './support.js';

const now = new Date();
const period = { notBefore: new Date(now.getTime() - 60_000), notAfter: new Date(now.getTime() + 3_600_000) };

describe('an OpenSSH certificate', () => {
  it('comes back from its encoding, whatever it says', () => {
    const word = fc.string({ minLength: 1, maxLength: 20, unit: 'binary' });
    const seconds = fc.bigInt({ min: 0n, max: 0xffff_ffff_ffff_ffffn });
    const anyBody: fc.Arbitrary<OpenSshCertificateBody> = fc.record({
      kind: fc.constantFrom('user', 'host'),
      serial: seconds,
      keyId: fc.string({ maxLength: 30, unit: 'binary' }),
      principals: fc.array(word, { maxLength: 5 }),
      validAfter: seconds,
      validBefore: seconds,
      criticalOptions: fc
        .dictionary(word, fc.string({ maxLength: 9 }))
        .map((object) => new Map(Object.entries(object))),
      extensions: fc.dictionary(word, fc.string({ maxLength: 9 })).map((object) => new Map(Object.entries(object))),
    });
    const keys = keyTypes.map(({ make }) => encodeOpenSshKey(createPublicKey(make())));
    fc.assert(
      fc.property(anyBody, fc.constantFrom(...keys), (body, key) => {
        const authority = keys[0] ?? key;
        const signed = encodeOpenSshBody(body, { key, nonce: Buffer.alloc(32), authority });
        const blob = new WireWriter().raw(signed).string('signature').end();
        const seen = parseOpenSshCertificate(blob);
        const { kind, serial, keyId, principals, validAfter, validBefore, criticalOptions, extensions } = seen;
        const options = (map: ReadonlyMap<string, string>) => new Map([...map].sort());
        assert.deepEqual(
          {
            kind,
            serial,
            keyId,
            principals,
            validAfter,
            validBefore,
            criticalOptions: options(criticalOptions),
            extensions: options(extensions),
          },
          { ...body, criticalOptions: options(body.criticalOptions), extensions: options(body.extensions) },
        );
        assert.deepEqual([seen.key, seen.authority, seen.signed], [key, authority, signed]);
      }),
    );
  });

  const authority = ed25519();
  const authorityBlob = encodeOpenSshKey(authority.publicKey);
  const plain: OpenSshCertificateBody = {
    kind: 'user',
    serial: 1n,
    keyId: 'alice',
    principals: ['alice'],
    validAfter: 0n,
    validBefore: 1n << 40n,
    criticalOptions: new Map(),
    extensions: new Map(),
  };

  /** A certificate with these bytes in place of its body's, properly signed by the authority. */
  async function signed(
    body: Partial<OpenSshCertificateBody>,
    change = (bytes: Buffer): Buffer => bytes,
  ): Promise<Buffer> {
    const keys = { key: encodeOpenSshKey(ed25519().publicKey), nonce: Buffer.alloc(32, 1), authority: authorityBlob };
    const bytes = change(encodeOpenSshBody({ ...plain, ...body }, keys));
    const raw = await signingKey(authority.privateKey).sign(bytes);
    const signature = new WireWriter().string('ssh-ed25519').string(raw).end();
    return new WireWriter().raw(bytes).string(signature).end();
  }

  const replace =
    (from: Buffer, to: Buffer) =>
    (bytes: Buffer): Buffer => {
      const at = bytes.indexOf(from);
      assert.ok(at >= 0);
      return Buffer.concat([bytes.subarray(0, at), to, bytes.subarray(at + from.length)]);
    };
  const option = (...names: string[]): Buffer =>
    new WireWriter()
      .string(names.reduce((writer, name) => writer.string(name).string(''), new WireWriter()).end())
      .end();
  const kindOf = (number: number): Buffer => new WireWriter().uint64(1n).uint32(number).end();

  const refusals: readonly {
    name: string;
    body?: Partial<OpenSshCertificateBody>;
    change?: (bytes: Buffer) => Buffer;
    reason: RegExp;
  }[] = [
    { name: 'for a host', body: { kind: 'host' }, reason: /it is a host certificate/ },
    { name: 'of a kind that does not exist', change: replace(kindOf(1), kindOf(3)), reason: /malformed/ },
    { name: 'not yet valid', body: { validAfter: 1n << 39n }, reason: /not valid before/ },
    {
      name: 'valid from a time that no date reaches',
      body: { validAfter: (1n << 64n) - 1n },
      reason: /not valid before/,
    },
    { name: 'for nobody', body: { principals: [] }, reason: /no principals/ },
    { name: 'for an empty name', body: { principals: ['alice', ''] }, reason: /malformed/ },
    { name: 'for somebody else', body: { principals: ['alic', 'alice2', 'Alice'] }, reason: /not good for "alice"/ },
    {
      name: 'for more names than OpenSSH reads',
      body: { principals: Array.from({ length: 257 }, (_, i) => `u${i}`) },
      reason: /malformed/,
    },
    {
      name: 'with a critical option that nobody knows',
      body: { criticalOptions: new Map([['verify-required', '']]) },
      reason: /"verify-required" is not understood/,
    },
    {
      name: 'with a forced command',
      body: { criticalOptions: new Map([['force-command', 'id']]) },
      reason: /not understood/,
    },
    {
      name: 'with options out of order',
      body: {
        extensions: new Map([
          ['a', ''],
          ['b', ''],
        ]),
      },
      change: replace(option('a', 'b'), option('b', 'a')),
      reason: /malformed/,
    },
    {
      name: 'with an option twice',
      body: {
        extensions: new Map([
          ['a', ''],
          ['b', ''],
        ]),
      },
      change: replace(option('a', 'b'), option('a', 'a')),
      reason: /malformed/,
    },
    {
      name: 'with something in the reserved field',
      change: replace(
        new WireWriter().string('').string(authorityBlob).end(),
        new WireWriter().string('x').string(authorityBlob).end(),
      ),
      reason: /malformed/,
    },
  ];
  for (const { name, body = {}, change, reason } of refusals)
    it(`${name} is refused, even when its authority signed it`, async () => {
      const blob = await signed(body, change);
      assert.throws(
        () => verifyOpenSshCertificate(blob, expectation(trusting(authorityBlob))),
        refusal('unauthenticated', reason),
      );
    });

  it('that has expired says so', async () => {
    const blob = await signed({ validBefore: BigInt(Math.floor(now.getTime() / 1000)) });
    assert.throws(
      () => verifyOpenSshCertificate(blob, expectation(trusting(authorityBlob))),
      refusal('expired', /expired/),
    );
  });

  it('that lasts for ever can be read', async () => {
    const blob = await signed({ validBefore: (1n << 64n) - 1n });
    assert.ok(verifyOpenSshCertificate(blob, expectation(trusting(authorityBlob))));
  });

  it('of another authority is refused', async () => {
    const other = encodeOpenSshKey(ed25519().publicKey);
    const blob = await signed({});
    assert.throws(
      () => verifyOpenSshCertificate(blob, expectation(trusting(other))),
      refusal('unauthenticated', /not trusted here: SHA256:/),
    );
  });

  it('that names a trusted authority but was signed by another key is refused', async () => {
    const blob = await signed({});
    const { signed: bytes } = parseOpenSshCertificate(blob);
    const raw = await signingKey(ed25519().privateKey).sign(bytes);
    const forged = new WireWriter().raw(bytes).string(new WireWriter().string('ssh-ed25519').string(raw).end()).end();
    assert.throws(
      () => verifyOpenSshCertificate(forged, expectation(trusting(authorityBlob))),
      refusal('unauthenticated', /does not verify/),
    );
  });

  for (const algorithm of ['rsa-sha2-512', 'ecdsa-sha2-nistp256', 'ssh-rsa', 'none', 'constructor'])
    it(`whose signature claims to be ${algorithm} is refused`, async () => {
      const { signed: bytes } = parseOpenSshCertificate(await signed({}));
      const raw = await signingKey(authority.privateKey).sign(bytes);
      const forged = new WireWriter().raw(bytes).string(new WireWriter().string(algorithm).string(raw).end()).end();
      assert.throws(
        () => verifyOpenSshCertificate(forged, expectation(trusting(authorityBlob))),
        refusal('unauthenticated', /does not verify/),
      );
    });

  it('with any bit changed is refused, wherever it is', async () => {
    const blob = await signed({
      criticalOptions: new Map([['source-address', '10.0.0.0/8']]),
      extensions: new Map([['permit-pty', '']]),
    });
    const expected = expectation(trusting(authorityBlob));
    assert.ok(verifyOpenSshCertificate(blob, expected));
    for (let i = 0; i < blob.length; i += 1) {
      const changed = Buffer.from(blob);
      changed[i] = (changed[i] ?? 0) ^ (1 << (i % 8));
      assert.throws(() => verifyOpenSshCertificate(changed, expected), refusal('unauthenticated', /./), `byte ${i}`);
    }
  });

  it('cut off anywhere, or with a byte too many, is refused', async () => {
    const blob = await signed({});
    const expected = expectation(trusting(authorityBlob));
    for (let length = 0; length < blob.length; length += 1)
      assert.throws(
        () => verifyOpenSshCertificate(blob.subarray(0, length), expected),
        refusal('unauthenticated', /malformed/),
      );
    const longer = Buffer.concat([blob, Buffer.alloc(1)]);
    assert.throws(() => verifyOpenSshCertificate(longer, expected), refusal('unauthenticated', /malformed/));
    const huge = Buffer.alloc(40_000);
    assert.throws(() => verifyOpenSshCertificate(huge, expected), refusal('unauthenticated', /malformed/));
  });

  it('is not issued for nobody, for too many, and for what is no name', async () => {
    const issue = (principals: string[]) =>
      issueOpenSshCertificate(
        { kind: 'user', key: ed25519().publicKey, keyId: 'x', principals, period },
        signingKey(authority.privateKey),
      );
    const many = Array.from({ length: 257 }, (_, i) => `u${i}`);
    for (const principals of [[], [''], ['a,b'], ['a b'], ['a\n'], ['a\0'], ['x'.repeat(257)], many])
      await assert.rejects(issue(principals), refusal('invalid_argument', /principal/));
  });
});
