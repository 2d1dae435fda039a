import assert from 'node:assert/strict';
import fc from 'fast-check';
import { concat, literal, matchesPattern, parsePattern } from '../../src/rbac/pattern.js';

/** What a pattern means, said in the slow and obvious way. */
function meaning(pattern: string, value: string): boolean {
  const quoted = pattern.split('*').map((piece) => piece.replace(/[.*+?^${}()|[\]\\]/g, '\\$&'));
  return new RegExp(`^${quoted.join('[^]*')}$`).test(value);
}

describe('pattern', () => {
  const table: readonly [pattern: string, value: string, want: boolean][] = [
    ['prod', 'prod', true],
    ['prod', 'Prod', false],
    ['prod', 'prod-2', false],
    ['prod-*', 'prod-2', true],
    ['prod-*', 'prod-', true],
    ['*', '', true],
    ['*', 'anything', true],
    ['a*a', 'a', false],
    ['a*a', 'aa', true],
    ['ab*ba', 'aba', false],
    ['*a*b*', 'xxaxxbxx', true],
    ['*a*b*', 'ba', false],
    ['a*b*b', 'ab', false],
    ['**', 'x', true],
    ['a.c', 'abc', false],
    ['', '', true],
    ['', 'x', false],
  ];
  for (const [pattern, value, want] of table)
    it(`${JSON.stringify(pattern)} ${want ? 'matches' : 'does not match'} ${JSON.stringify(value)}`, () => {
      assert.equal(matchesPattern(parsePattern(pattern), value), want);
    });

  it('means what the obvious reading means', () => {
    const text = fc.string({ unit: fc.constantFrom('a', 'b', '*', '.'), maxLength: 12 });
    fc.assert(
      fc.property(text, text, (pattern, value) => {
        assert.equal(matchesPattern(parsePattern(pattern), value), meaning(pattern, value));
      }),
      { numRuns: 2000 },
    );
  });

  it('takes a literal for itself, whatever it contains', () => {
    fc.assert(
      fc.property(fc.string(), fc.string(), (text, value) => {
        assert.equal(matchesPattern(literal(text), value), text === value);
      }),
    );
    const around = concat(concat(parsePattern('app-*-'), literal('*')), parsePattern('-x'));
    assert.ok(matchesPattern(around, 'app-1-*-x'));
    assert.ok(!matchesPattern(around, 'app-1-2-x'));
  });

  it('a pattern of many wildcards does not take long against a value that nearly matches', () => {
    const pattern = parsePattern(`${'a*'.repeat(200)}b`);
    const value = 'a'.repeat(100_000);
    const started = process.hrtime.bigint();
    for (let i = 0; i < 100; i++) assert.equal(matchesPattern(pattern, value), false);
    assert.ok(process.hrtime.bigint() - started < 1_000_000_000n);
  });
});
