import assert from 'node:assert/strict';
import { event, field } from '@postern/plugin-sdk';
import fc from 'fast-check';
import { z } from 'zod';
import { canonicalJson } from '../../src/audit/canonical-json.js';
import { FieldEncoder } from '../../src/audit/field-encoder.js';

const type = event('Everything that the short way knows.', {
  text: field.sensitive(z.string()),
  'a "name"': field.public(z.string().optional()),
  count: field.public(z.int()),
  ratio: field.public(z.number().optional()),
  yes: field.public(z.boolean().optional()),
  kind: field.public(z.enum(['one', 'two'])),
  list: field.public(z.array(z.string().nullable()).optional()),
});

const encoder = FieldEncoder.for(type) ?? assert.fail();
const fits = { text: 'x', count: 1, kind: 'one' };

describe('the short way of fields into a line', () => {
  it('writes exactly what the long way writes', () => {
    const optional = <T>(arbitrary: fc.Arbitrary<T>): fc.Arbitrary<T | undefined> =>
      fc.option(arbitrary, { nil: undefined });
    const text = fc.string({ unit: 'binary' });
    const fields = fc.record(
      {
        text,
        'a "name"': optional(text),
        count: fc.maxSafeInteger(),
        ratio: optional(fc.double({ noNaN: true, noDefaultInfinity: true })),
        yes: optional(fc.boolean()),
        kind: fc.constantFrom('one', 'two'),
        list: optional(fc.array(fc.option(text))),
      },
      { noNullPrototype: true },
    );
    fc.assert(
      fc.property(fields, (value) => {
        assert.equal(encoder.encode(value), canonicalJson(type.fields.parse(value)));
      }),
    );
  });

  for (const [name, fields] of [
    ['unknown fields', { ...fits, extra: 1 }],
    ['an unknown field in the place of one that may be missing', { ...fits, yes: undefined, extra: 1 }],
    ['missing fields', { text: 'x', count: 1 }],
    ['a text that is none', { ...fits, text: 1 }],
    ['a number that JSON does not know', { ...fits, ratio: NaN }],
    ['an integer that is none', { ...fits, count: 1.5 }],
    ['a choice that is none', { ...fits, kind: 'toString' }],
    ['a list of something else', { ...fits, list: [1] }],
    ['fields that are inherited', Object.create(fits) as Record<string, unknown>],
  ] as const)
    it(`leaves ${name} to the long way`, () => {
      assert.equal(encoder.encode(fields), undefined);
    });

  for (const [name, schema] of [
    ['a secret', field.secret(z.string())],
    ['what nobody classified', z.string()],
    ['a text with a shape', field.public(z.string().min(1))],
    ['a default', field.public(z.string().default('x'))],
    ['an object', field.public(z.object({}))],
  ] as const)
    it(`is not taken by types with ${name}`, () => {
      assert.equal(FieldEncoder.for(event('A.', { value: schema })), undefined);
    });
});
