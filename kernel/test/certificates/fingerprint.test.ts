import assert from 'node:assert/strict';
import { authorityPin, matchesPin } from '../../src/certificates/index.js';
import { inDirectory, newIssuer, output, refusal } from './support.js';

describe('a CA pin', () => {
  it('is what openssl computes of the public key', async () => {
    const [pem = ''] = (await newIssuer()).bundle('host').x509;
    inDirectory({ 'ca.pem': pem }, (directory) => {
      output('openssl', 'x509', '-in', `${directory}/ca.pem`, '-pubkey', '-noout', '-out', `${directory}/key.pem`);
      output('openssl', 'pkey', '-pubin', '-in', `${directory}/key.pem`, '-outform', 'DER', '-out', `${directory}/key`);
      const printed = output('openssl', 'dgst', '-sha256', '-r', `${directory}/key`);
      assert.equal(authorityPin(pem), `sha256:${printed.slice(0, 64)}`);
    });
  });

  it('matches its authority, whatever its case and its place among others', async () => {
    const [one, other] = await Promise.all([newIssuer(), newIssuer()]);
    const [mine = ''] = one.bundle('host').x509;
    const [foreign = ''] = other.bundle('host').x509;
    const pin = authorityPin(mine);
    assert.equal(matchesPin([pin], mine), true);
    assert.equal(matchesPin([authorityPin(foreign), pin.toUpperCase().replace('SHA256', 'sha256')], mine), true);
    assert.equal(matchesPin([authorityPin(foreign)], mine), false);
    assert.equal(matchesPin([], mine), false);
  });

  it('is refused when it is none', async () => {
    const [pem = ''] = (await newIssuer()).bundle('host').x509;
    for (const pin of ['', 'sha256:', `sha256:${'g'.repeat(64)}`, `sha1:${'a'.repeat(40)}`, `sha256:${'a'.repeat(63)}`])
      assert.throws(() => matchesPin([pin], pem), refusal('invalid_argument', /pin/));
  });
});
