import assert from 'node:assert/strict';
import fc from 'fast-check';
import { identityOid, serviceOid, type IdentityClaims } from '../../src/certificates/index.js';
import {
  decodeIdentity,
  decodeIdentityExtension,
  encodeIdentity,
  encodeIdentityExtension,
} from '../../src/certificates/identity-extension.js';
import { extensionArc, maximumExtensionLength, wrapExtension } from '../../src/certificates/extension-json.js';
import { claims, cluster, refusal } from './support.js';

const identity: IdentityClaims = { ...claims, cluster };
const json = (changes: object): string => JSON.stringify({ v: 1, ...identity, ...changes });

const text = fc.string({ minLength: 1, maxLength: 20, unit: 'binary' });
const lists = fc.dictionary(
  text.filter((key) => key !== '__proto__'),
  fc.array(text, { maxLength: 3 }),
  { noNullPrototype: true, maxKeys: 4 },
);
const plain = <T extends object>(shape: { [K in keyof T]: fc.Arbitrary<T[K]> }) =>
  fc.record(shape, { noNullPrototype: true });
const anyIdentity: fc.Arbitrary<IdentityClaims> = fc.record(
  {
    user: fc.stringMatching(/^[A-Za-z0-9_][A-Za-z0-9._@+-]{0,63}$/),
    cluster: fc.constant(cluster),
    roles: fc.array(text, { maxLength: 5 }),
    traits: lists,
    principals: lists,
    generation: fc.nat(),
    requests: fc.array(text, { maxLength: 3 }),
    mfa: plain({ device: text, at: fc.date({ min: new Date(0), max: new Date('2100-01-01'), noInvalidDate: true }) }),
    pinnedAddress: fc.oneof(fc.ipV4(), fc.ipV6()),
    via: fc.constant('web'),
    resource: plain({ kind: fc.constant('shell'), name: text }),
  },
  {
    noNullPrototype: true,
    requiredKeys: ['user', 'cluster', 'roles', 'traits', 'principals', 'generation', 'requests'],
  },
);

describe('the identity extension', () => {
  it('says what went in, whatever it is', () => {
    fc.assert(
      fc.property(anyIdentity, (one) => {
        assert.deepEqual(decodeIdentity(encodeIdentity(one)), one);
        assert.deepEqual(decodeIdentityExtension(encodeIdentityExtension(one)), one);
      }),
    );
  });

  it('has an object identifier made of the UUID that the documentation names', () => {
    const hex = '2b5b2fcc-3a14-4378-a00a-912c6f9b6a1a'.replaceAll('-', '');
    const ends = [4, 8, 12, 16, 20, 26, 32];
    const numbers = ends.map((end, i) => parseInt(hex.slice(ends[i - 1] ?? 0, end), 16));
    assert.equal(extensionArc, ['1.2.840.113556.1.8000.2554', ...numbers].join('.'));
    assert.deepEqual([identityOid, serviceOid], [`${extensionArc}.1`, `${extensionArc}.2`]);
  });

  it('has a fixed form', () => {
    assert.equal(
      encodeIdentity({ ...identity, mfa: { device: 'phone', at: new Date(0) }, via: 'web' }),
      '{"v":1,"user":"alice","cluster":"cluster.test","roles":["developer"],"traits":{"team":["payments"]},' +
        '"principals":{"shell":["alice","deploy"]},"generation":7,' +
        '"mfa":{"device":"phone","at":"1970-01-01T00:00:00.000Z"},"requests":[],"via":"web"}',
    );
  });

  const malformed = [
    { name: 'another version', text: json({ v: 2 }) },
    { name: 'a field that is not known', text: json({ admin: true }) },
    { name: 'a missing field', text: json({ roles: undefined }) },
    { name: 'roles that are no list', text: json({ roles: 'admin' }) },
    { name: 'a negative generation', text: json({ generation: -1 }) },
    { name: 'a generation that is no integer', text: json({ generation: 1.5 }) },
    { name: 'a user with a comma', text: json({ user: 'alice,O=x' }) },
    { name: 'a user with a NUL', text: json({ user: 'alice\0' }) },
    { name: 'a pinned address that is none', text: json({ pinnedAddress: '10.0.0.0/8' }) },
    { name: 'an address with a zone', text: json({ pinnedAddress: 'fe80::1%eth0' }) },
    { name: 'an MFA date that is none', text: json({ mfa: { device: 'x', at: 'yesterday' } }) },
    { name: 'JSON of another shape', text: '[]' },
    { name: 'no JSON', text: '{"v":1' },
    { name: 'nothing', text: '' },
  ];
  for (const { name, text: input } of malformed)
    it(`is refused with ${name}`, () => {
      assert.throws(() => decodeIdentity(input), refusal('unauthenticated', /the identity extension/));
    });

  it('cannot carry a key that becomes a prototype', () => {
    const hostile = json({}).replace('"traits":{', '"traits":{"__proto__":["x"],');
    const { traits } = decodeIdentity(hostile);
    assert.deepEqual(Object.keys(traits), ['team']);
    assert.equal(Object.getPrototypeOf(traits), Object.prototype);
  });

  it('is refused when it is too large, before it is parsed', () => {
    const large = json({ roles: Array.from({ length: 1000 }, (_, i) => `role-${i}-${'x'.repeat(20)}`) });
    assert.ok(large.length > maximumExtensionLength);
    assert.throws(() => decodeIdentity(large), refusal('unauthenticated', /too large/));
    const { roles } = JSON.parse(large) as { roles: string[] };
    assert.throws(() => encodeIdentity({ ...identity, roles }), refusal('invalid_argument', /larger than/));
  });

  it('is not issued for a user who could not be read back', () => {
    assert.throws(() => encodeIdentity({ ...identity, user: 'a,b' }), refusal('invalid_argument', /user/));
  });

  const values = [
    { name: 'another string type', value: Buffer.from('0401', 'hex') },
    { name: 'trailing bytes', value: Buffer.concat([wrapExtension(json({})), Buffer.from([0])]) },
    { name: 'bytes that are no UTF-8', value: Buffer.from([0x0c, 1, 0xff]) },
    { name: 'nothing', value: Buffer.alloc(0) },
  ];
  for (const { name, value } of values)
    it(`is refused as ${name}`, () => {
      assert.throws(() => decodeIdentityExtension(value), refusal('unauthenticated', /UTF8String/));
    });
});
