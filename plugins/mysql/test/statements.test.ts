import assert from 'node:assert/strict';
import fc from 'fast-check';
import { readParameters } from '../src/parameters.js';
import { PreparedStatements } from '../src/prepared-statements.js';
import { schemasUsed } from '../src/statement-scanner.js';
import { PayloadReader } from '../src/wire.js';

const bytes = (...values: number[]): Buffer => Buffer.from(values);

describe('the schemas that a text changes to', () => {
  const cases: Readonly<Record<string, readonly string[]>> = {
    'select 1': [],
    'use a': ['a'],
    'USE `a``b`;': ['a`b'],
    'use"a"': ['a'],
    'select 1; use a; use b': ['a', 'b'],
    '/* c */ use /* d */ a -- e': ['a'],
    'use a # comment': ['a'],
    '/*!40101 use a */': ['a'],
    '/*M!100100 use a */': ['a'],
    "select '; use a'": [],
    'select "use a"; use b': ['b'],
    "select 'it''s; use a'": [],
    // The server refuses a text whose quote never ends, whatever we make of it.
    "select '\\'; use a": ['a'],
    'select `use`; use c': ['c'],
    'select 1 -- ; use a\n; use b': ['b'],
    'explain select * from t use index (i)': [],
    'select 1 /* ; use a': [],
  };
  for (const [sql, schemas] of Object.entries(cases))
    it(`${JSON.stringify(sql)}: ${schemas.join(', ') || 'none'}`, () => assert.deepEqual(schemasUsed(sql), schemas));

  it('are found in linear time in a hostile text', () => {
    const started = performance.now();
    for (const piece of ["'", '/*', '`', '\\', 'use ', ';', '-- ', '"']) schemasUsed(`use ${piece.repeat(60_000)}`);
    assert.ok(performance.now() - started < 2000);
  });
});

describe('parameters', () => {
  it('are shown as text, by their types', () => {
    const payload = Buffer.concat([
      bytes(0b0000_0010),
      bytes(1, 3, 0, 253, 0, 8, 0x80, 12, 0, 5, 0, 11, 0),
      bytes(0xff, 0xff, 0xff, 0xff),
      bytes(...Array.from({ length: 8 }, () => 255)),
      bytes(7, 0xea, 7, 1, 2, 3, 4, 5),
      Buffer.from(new Float64Array([1.5]).buffer),
      bytes(8, 1, 1, 0, 0, 0, 2, 3, 4),
    ]);
    const { values } = readParameters(new PayloadReader(payload), 6, { types: [], ahead: new Set() });
    assert.deepEqual(values, ['-1', null, '18446744073709551615', '2026-01-02 03:04:05', '1.5', '-26:03:04']);
  });

  it('of chance bytes are malformed or read, and never a crash', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), fc.nat({ max: 40 }), (data, count) => {
        try {
          readParameters(new PayloadReader(Buffer.from(data)), count, { types: [], ahead: new Set() });
        } catch (cause) {
          assert.match(String(cause), /malformed packet/);
        }
      }),
    );
  });

  it('of a statement that nobody prepared are not shown, nor is its text', () => {
    const statements = new PreparedStatements();
    assert.deepEqual(statements.execution(bytes(0x17, 9, 0, 0, 0, 0, 1, 0, 0, 0)), {});
  });

  it('keep their types for the next execution, and forget what was sent ahead', () => {
    const statements = new PreparedStatements();
    statements.add(1, 'select ?', 1);
    const head = [0x17, 1, 0, 0, 0, 0, 1, 0, 0, 0, 0];
    assert.deepEqual(statements.execution(bytes(...head, 1, 1, 0, 5)).parameters, ['5']);
    assert.deepEqual(statements.execution(bytes(...head, 0, 6)).parameters, ['6']);
    statements.follow(0x18, bytes(0x18, 1, 0, 0, 0, 0, 0, 120));
    assert.deepEqual(statements.execution(bytes(...head, 0)).parameters, ['[sent ahead]']);
    assert.deepEqual(statements.execution(bytes(...head, 0, 7)).parameters, ['7']);
  });
});
