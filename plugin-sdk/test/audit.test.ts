import assert from 'node:assert/strict';
import { event, field, isClassified, redact, sensitivityOf } from '@postern/plugin-sdk';
import { z } from 'zod';
import { secondCopy } from './support/second-copy.js';

const type = event('Something happened.', {
  verb: field.public(z.string()),
  key: field.sensitive(z.string().optional()),
  password: field.secret(z.string()),
  forgotten: z.string(),
});

describe('redact', () => {
  it('keeps public and sensitive values, and the shape of the others', () => {
    assert.deepEqual(redact(type, { verb: 'get', key: 'k', password: 'hunter2', forgotten: 'also a secret' }), {
      verb: 'get',
      key: 'k',
      password: '[redacted]',
      forgotten: '[redacted]',
    });
  });

  it('treats a field that nobody declared as secret', () => {
    assert.deepEqual(redact(type, { surprise: 'x', constructor: 'y' }), {
      surprise: '[redacted]',
      constructor: '[redacted]',
    });
  });
});

describe('the classification of a field', () => {
  it('is secret unless somebody said otherwise', () => {
    assert.equal(sensitivityOf(z.string()), 'secret');
    assert.equal(isClassified(z.string()), false);
  });

  it('belongs to the schema that was classified and to none that is made of it', () => {
    const name = field.public(z.string());
    assert.equal(sensitivityOf(name), 'public');
    for (const derived of [name.optional(), name.describe('a name'), name.max(3), z.array(name)]) {
      assert.equal(isClassified(derived), false);
      assert.equal(sensitivityOf(derived), 'secret');
    }
  });

  it('does not spread through a schema that two events share', () => {
    const shared = z.string();
    const [open, hidden] = [field.public(shared), field.secret(shared)];
    assert.deepEqual([sensitivityOf(open), sensitivityOf(hidden)], ['public', 'secret']);
    assert.equal(isClassified(shared), false);
  });

  it('keeps the rules and the description of the schema', () => {
    const schema = field.public(z.string().max(3).describe('a short name'));
    assert.equal(schema.safeParse('long').success, false);
    assert.equal(z.toJSONSchema(event('x', { schema }).fields).properties?.['schema'] !== undefined, true);
    assert.match(JSON.stringify(z.toJSONSchema(event('x', { schema }).fields)), /a short name/);
  });

  it('is understood by another copy of the SDK', async () => {
    const other = await secondCopy();
    assert.notEqual(other.field, field);
    assert.equal(sensitivityOf(other.field.public(z.string())), 'public');
    assert.equal(other.sensitivityOf(field.sensitive(z.string())), 'sensitive');
  });
});

describe('event', () => {
  it('refuses fields that it does not declare', () => {
    const rest = { verb: 'get', password: 'p', forgotten: 'f' };
    assert.equal(type.fields.safeParse(rest).success, true);
    assert.equal(type.fields.safeParse({ ...rest, surprise: 'x' }).success, false);
  });
});
