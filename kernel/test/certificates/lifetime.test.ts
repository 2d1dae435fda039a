import assert from 'node:assert/strict';
import { userLifetime } from '../../src/certificates/index.js';
import { validityPeriod } from '../../src/certificates/lifetime.js';
import { refusal } from './support.js';

const hour = 3_600_000;
const now = new Date('2026-05-01T12:00:00.900Z');

describe('the lifetime of a certificate', () => {
  it('is 12 hours by default and 30 at most for a user', () => {
    assert.deepEqual(userLifetime, { defaultMs: 12 * hour, maximumMs: 30 * hour });
  });

  it('begins a minute early and ends at a whole second that is not late', () => {
    const { notBefore, notAfter } = validityPeriod(userLifetime, undefined, now);
    assert.equal(notBefore.toISOString(), '2026-05-01T11:59:00.000Z');
    assert.equal(notAfter.toISOString(), '2026-05-02T00:00:00.000Z');
  });

  it('is cut to the limit', () => {
    assert.equal(validityPeriod(userLifetime, 1000 * hour, now).notAfter.toISOString(), '2026-05-02T18:00:00.000Z');
    assert.equal(validityPeriod(userLifetime, Infinity, now).notAfter.toISOString(), '2026-05-02T18:00:00.000Z');
  });

  it("never passes the issuer's end", () => {
    const end = new Date('2026-05-01T13:00:00Z');
    assert.deepEqual(validityPeriod(userLifetime, undefined, now, end).notAfter, end);
    assert.throws(
      () => validityPeriod(userLifetime, undefined, now, new Date('2026-05-01T12:00:00Z')),
      refusal('unavailable', /ended/),
    );
  });

  for (const bad of [0, -1, 999, NaN, -Infinity])
    it(`is not ${bad} ms`, () => {
      assert.throws(() => validityPeriod(userLifetime, bad, now), refusal('invalid_argument', /one second/));
    });
});
