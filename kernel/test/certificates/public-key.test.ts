import assert from 'node:assert/strict';
import { createSecretKey, generateKeyPairSync, randomBytes } from 'node:crypto';
import { acceptPublicKey } from '../../src/certificates/public-key.js';
import { ed25519, p256, privatePem, publicPem, refusal } from './support.js';

const ec = (namedCurve: string) => generateKeyPairSync('ec', { namedCurve }).publicKey;
const rsa = (modulusLength: number, publicExponent = 65537) =>
  generateKeyPairSync('rsa', { modulusLength, publicExponent }).publicKey;

describe('a public key to be certified', () => {
  it('is accepted as PEM and as an object', () => {
    const { publicKey } = p256();
    assert.equal(acceptPublicKey(publicPem(publicKey), 'tls').equals(publicKey), true);
    assert.equal(acceptPublicKey(publicKey, 'tls'), publicKey);
  });

  const accepted = [
    { name: 'P-256', key: () => ec('P-256') },
    { name: 'P-384', key: () => ec('P-384') },
    { name: 'Ed25519', key: () => ed25519().publicKey },
    { name: 'RSA of 2048 bits', key: () => rsa(2048) },
  ];
  for (const { name, key } of accepted)
    it(`may be ${name}`, () => {
      assert.ok(acceptPublicKey(key(), 'tls'));
      assert.ok(acceptPublicKey(key(), 'openssh'));
    });

  it('may be P-521 for OpenSSH alone', () => {
    assert.ok(acceptPublicKey(ec('P-521'), 'openssh'));
    assert.throws(() => acceptPublicKey(ec('P-521'), 'tls'), refusal('invalid_argument', /secp521r1/));
  });

  const refused = [
    { name: 'RSA of 1024 bits', key: () => rsa(1024), reason: /2048/ },
    { name: 'RSA with exponent 3', key: () => rsa(2048, 3), reason: /exponent/ },
    { name: 'secp256k1', key: () => ec('secp256k1'), reason: /secp256k1/ },
    { name: 'X25519', key: () => generateKeyPairSync('x25519').publicKey, reason: /x25519/ },
    { name: 'Ed448', key: () => generateKeyPairSync('ed448').publicKey, reason: /ed448/ },
    { name: 'RSA-PSS', key: () => generateKeyPairSync('rsa-pss', { modulusLength: 2048 }).publicKey, reason: /pss/ },
    { name: 'a secret key', key: () => createSecretKey(randomBytes(32)), reason: /only a public key/ },
    { name: 'a private key object', key: () => p256().privateKey, reason: /only a public key/ },
  ];
  for (const { name, key, reason } of refused)
    it(`is not ${name}`, () => {
      assert.throws(() => acceptPublicKey(key(), 'tls'), refusal('invalid_argument', reason));
    });

  it('is not a private key in PEM, from which a public one could be derived', () => {
    const pem = privatePem(p256().privateKey);
    assert.throws(() => acceptPublicKey(pem, 'tls'), refusal('invalid_argument', /PUBLIC KEY/));
    assert.throws(
      () => acceptPublicKey(pem, 'tls'),
      (error: Error) => !error.message.includes(pem.slice(40, 80)),
    );
  });

  const texts = ['', 'x', `-----BEGIN PUBLIC KEY-----\n${'A'.repeat(100)}\n-----END PUBLIC KEY-----`, 'A'.repeat(9000)];
  for (const text of texts)
    it(`is not ${JSON.stringify(text.slice(0, 30))}`, () => {
      assert.throws(() => acceptPublicKey(text, 'tls'), refusal('invalid_argument', /public key/));
    });
});
