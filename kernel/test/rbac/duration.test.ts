import assert from 'node:assert/strict';
import fc from 'fast-check';
import { duration, formatDuration, parseDuration } from '../../src/rbac/index.js';

describe('duration', () => {
  const good: readonly [string, number][] = [
    ['12h', 43_200_000],
    ['30m', 1_800_000],
    ['1h30m', 5_400_000],
    ['90s', 90_000],
    ['7d', 604_800_000],
    ['1d2h3m4s', 93_784_000],
    ['0h5m', 300_000],
  ];
  for (const [text, ms] of good)
    it(`reads ${text}`, () => {
      assert.equal(parseDuration(text), ms);
      assert.ok(duration.safeParse(text).success);
    });

  for (const text of [
    '',
    '0s',
    '0h0m',
    '5',
    'h',
    '30m1h',
    '1h1h',
    '-1h',
    '1.5h',
    ' 1h',
    '1h ',
    '1 h',
    '1w',
    '123456789s',
    '1H',
  ])
    it(`refuses ${JSON.stringify(text)}`, () => {
      assert.equal(parseDuration(text), undefined);
      assert.equal(duration.safeParse(text).success, false);
    });

  it('writes what it reads', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 86_400 * 365 }), (seconds) => {
        assert.equal(parseDuration(formatDuration(seconds * 1000)), seconds * 1000);
      }),
    );
  });

  it('writes nothing as zero seconds', () => {
    assert.equal(formatDuration(999), '0s');
  });
});
