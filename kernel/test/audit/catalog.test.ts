import assert from 'node:assert/strict';
import { event, field, isClassified } from '@postern/plugin-sdk';
import { z } from 'zod';
import { renderCatalog } from '../../src/audit/catalog-markdown.js';
import { Catalog } from '../../src/audit/catalog.js';
import { administrationEvents } from '../../src/audit/events/administration.js';
import { auditEvents } from '../../src/audit/events/audit.js';
import { certificateEvents } from '../../src/audit/events/certificates.js';
import { kernelEvents } from '../../src/audit/events/index.js';
import { recordingEvents } from '../../src/audit/events/recordings.js';
import { sessionEvents } from '../../src/audit/events/sessions.js';
import { userEvents } from '../../src/audit/events/users.js';
import { catalog, codeIs, draft, protocolEvents, sealer } from './support.js';

describe('the kernel’s events', () => {
  it('are each declared once', () => {
    const areas = [administrationEvents, auditEvents, certificateEvents, recordingEvents, sessionEvents, userEvents];
    const names = areas.flatMap((area) => Object.keys(area)).sort();
    assert.deepEqual(Object.keys(kernelEvents).sort(), names);
  });

  it('classify every field, and call none secret that nobody could ever read', () => {
    for (const [name, { fields }] of Catalog.of().entries())
      for (const [key, schema] of Object.entries(fields.shape as Record<string, z.ZodType>))
        assert.ok(isClassified(schema), `${name}.${key} is not classified`);
  });

  it('can be described in JSON Schema', () => {
    for (const [, { fields }] of Catalog.of().entries()) assert.equal(z.toJSONSchema(fields).type, 'object');
  });
});

describe('the catalogue', () => {
  it('joins the protocols’ events under their names', () => {
    assert.ok(catalog.has('store.command'));
    assert.ok(catalog.has('session.start'));
    assert.ok(!catalog.has('command'));
  });

  const one = { a: event('One.', {}) };
  for (const [name, make] of [
    [
      'two protocols of one name',
      () =>
        Catalog.of([
          { id: 'x1', audit: one },
          { id: 'x1', audit: one },
        ]),
    ],
    [
      'a protocol that is called like an area of the kernel',
      () => Catalog.of([{ id: 'session', audit: { start2: one.a } }]),
    ],
    ['a name with a capital', () => Catalog.of([{ id: 'x1', audit: { Command: one.a } }])],
    ['a name with a newline', () => Catalog.of([{ id: 'x1', audit: { 'a\nb': one.a } }])],
    ['an empty name', () => Catalog.of([{ id: 'x1', audit: { '': one.a } }])],
    ['a kernel event without an area', () => Catalog.of([], { start: one.a })],
  ] as const)
    it(`refuses ${name}`, () => {
      assert.throws(make, codeIs('invalid_config'));
    });

  it('refuses types that nobody declared', () => {
    assert.throws(() => catalog.check('store.drop', {}), codeIs('invalid_argument'));
  });

  for (const [name, fields] of [
    ['unknown fields', { verb: 'get', extra: 1 }],
    ['missing fields', {}],
    ['fields of another type', { verb: 1 }],
  ] as const)
    it(`refuses ${name}`, () => {
      assert.throws(() => catalog.check('store.command', fields), codeIs('invalid_argument'));
    });

  it('names the field and never the value in what it refuses', () => {
    assert.throws(
      () => catalog.check('store.command', { verb: 'get', key: ['hunter2'] }),
      (cause: Error) => cause.message.includes('key') && !cause.message.includes('hunter2'),
    );
  });

  it('replaces secret and unclassified values, and keeps the shape', () => {
    const fields = { verb: 'auth', key: 'k', password: 'hunter2', stray: 'hunter3' };
    assert.deepEqual(catalog.check('store.command', fields), {
      verb: 'auth',
      key: 'k',
      password: '[redacted]',
      stray: '[redacted]',
    });
  });

  it('masks sensitive values, all values of unknown types, and parts', () => {
    const base = { id: 'i', time: 't', cluster: 'c', agent: 'a', stream: 's', sequence: 1 };
    const known = { ...base, type: 'store.command', fields: { verb: 'get', key: 'k', stray: 'x' } };
    assert.deepEqual(catalog.mask(known).fields, { verb: 'get', key: '[masked]', stray: '[masked]' });
    assert.deepEqual(catalog.mask({ ...known, type: 'gone.type' }).fields, {
      verb: '[masked]',
      key: '[masked]',
      stray: '[masked]',
    });
    const part = { of: 'i', number: 1, total: 2, text: '{"key":"k' };
    assert.equal(catalog.mask({ ...known, part, fields: {} }).part?.text, '[masked]');
  });
});

describe('the catalogue as a document', () => {
  it('names every type and every field once, sorted by area', () => {
    const text = renderCatalog(catalog);
    assert.deepEqual(
      [...text.matchAll(/^### (.*)$/gm)].map(([, name]) => name),
      catalog.entries().map(([name]) => name),
    );
    assert.match(text, /^## session$/m);
    assert.match(text, /\| `verb` \| string \| everybody \| {2}\|/);
    assert.match(text, /\| `key` \| string \| readers with the right \| optional \|/);
    assert.match(text, /\| `password` \| string \| nobody \| optional \|/);
    assert.match(text, /\| `action` \| `created`, `updated`, `deleted` \| everybody \| {2}\|/);
    assert.match(text, /\| `roles` \| list of string \| everybody \| {2}\|/);
  });

  it('is the same text for the same catalogue', () => {
    assert.equal(renderCatalog(catalog), renderCatalog(Catalog.of([{ id: 'store', audit: protocolEvents }])));
  });
});

describe('sealing an event', () => {
  it('keeps a secret out of the line', () => {
    const [sealed] = sealer().seal(draft('auth', { fields: { verb: 'auth', password: 'hunter2' } }));
    assert.ok(!JSON.stringify(sealed).includes('hunter2'));
    assert.match(sealed?.after ?? '', /\[redacted\]/);
  });

  for (const [name, more] of [
    ['a user without a name', { user: '' }],
    ['a user with too long a name', { user: 'x'.repeat(513) }],
    ['a session with too long a name', { session: 'x'.repeat(129) }],
    ['a resource without a kind', { resource: { kind: '', name: 'orders' } }],
    ['a source with too long a name', { source: 'x'.repeat(257) }],
  ] as const)
    it(`refuses ${name}`, () => {
      assert.throws(() => sealer().seal(draft('get', more)), codeIs('invalid_argument'));
    });

  it('refuses an event that is longer than allowed, and never cuts it', () => {
    const key = 'x'.repeat(5 * 1024 * 1024);
    assert.throws(() => sealer().seal(draft('put', { fields: { verb: 'put', key } })), codeIs('limit_exceeded'));
  });

  it('stamps the injected time', () => {
    const [sealed] = sealer(() => new Date(Date.UTC(2026, 1, 3, 4, 5, 6, 7))).seal(draft('get'));
    assert.match(sealed?.before ?? '', /"time":"2026-02-03T04:05:06\.007Z"/);
  });
});

describe('field', () => {
  it('inside optional is not classified, and so is redacted', () => {
    const inner = Catalog.of([{ id: 'x1', audit: { a: event('A.', { b: field.public(z.string()).optional() }) } }]);
    assert.deepEqual(inner.check('x1.a', { b: 'hunter2' }), { b: '[redacted]' });
  });
});
