import assert from 'node:assert/strict';
import fc from 'fast-check';
import { canonicalJson } from '../../src/audit/canonical-json.js';
import { eventIds } from '../../src/audit/event-id.js';
import { PartJoiner, splitText } from '../../src/audit/event-parts.js';
import { auditEvent, eventLine, maxLineBytes, parseRecord, type AuditEvent } from '../../src/audit/event.js';
import { codeIs, Stream } from './support.js';

describe('canonical JSON', () => {
  it('is one text for one value, whatever the order of its members', () => {
    assert.equal(canonicalJson({ b: [1, { d: null, c: true }], a: 'x' }), '{"a":"x","b":[1,{"c":true,"d":null}]}');
    assert.equal(
      canonicalJson({ '\u20ac': 1, '\r': 2, '\ud83d\ude00': 3, '\ufb33': 4, '1': 5, '\u0080': 6 }),
      '{"\\r":2,"1":5,"\u0080":6,"\u20ac":1,"\ud83d\ude00":3,"\ufb33":4}',
    );
    assert.equal(canonicalJson([1e30, 4.5, 2e-3, 1e-27, -0]), '[1e+30,4.5,0.002,1e-27,0]');
  });

  it('reads back as the value, never holds a newline, and is its own canonical form', () => {
    fc.assert(
      fc.property(fc.jsonValue(), (value) => {
        const text = canonicalJson(value);
        assert.ok(!text.includes('\n'));
        assert.deepEqual(JSON.parse(text), JSON.parse(JSON.stringify(value)));
        assert.equal(canonicalJson(JSON.parse(text)), text);
      }),
    );
  });

  it('leaves out members that are undefined', () => {
    assert.equal(canonicalJson({ a: undefined, b: 1 }), '{"b":1}');
  });

  for (const [name, value] of [
    ['NaN', NaN],
    ['infinity', -Infinity],
    ['a date', new Date()],
    ['bytes', Buffer.from('x')],
    ['a bigint', 1n],
    ['a function', () => 1],
    ['a map', new Map()],
    ['undefined in a list', [undefined]],
    ['an object of a class', new (class Thing {})()],
  ] as const)
    it(`refuses ${name}, which JSON would change or drop`, () => {
      assert.throws(() => canonicalJson({ value }), codeIs('invalid_argument'));
    });

  it('refuses what nests too deep, a cycle included', () => {
    const cycle: Record<string, unknown> = {};
    cycle['self'] = cycle;
    assert.throws(() => canonicalJson(cycle), codeIs('invalid_argument'));
  });
});

describe('event ids', () => {
  it('are UUIDs of version 7 with the time in front', () => {
    const id = eventIds()(Date.UTC(2026, 0, 2, 3, 4, 5, 678));
    assert.ok(auditEvent.shape.id.safeParse(id).success);
    assert.equal(Number.parseInt(id.replaceAll('-', '').slice(0, 12), 16), Date.UTC(2026, 0, 2, 3, 4, 5, 678));
  });

  it('sort in the order in which they are made, also when the clock stands, steps back or is outrun', () => {
    const next = eventIds();
    const times = [5, 5, 5, 6, 4, 6, ...Array.from({ length: 10_000 }, () => 6), 7, 7, 20];
    const ids = times.map(next);
    assert.deepEqual([...ids].sort(), ids);
    assert.equal(new Set(ids).size, ids.length);
  });
});

describe('an event line', () => {
  const [record] = new Stream('agent-1').next('get', { fields: { verb: 'get', key: 'k\n1' } });
  const { event, line } = record ?? assert.fail();

  it('has the members of the envelope in their order, and no newline', () => {
    assert.match(
      line.toString(),
      /^\{"id":"[^"]+","time":"[^"]+Z","type":"store\.command","cluster":"postern\.example\.com","agent":"agent-1","stream":"0123456789abcdef","sequence":1,"session":"s-1","user":"alice","resource":\{"kind":"store","name":"orders"\},"source":"203\.0\.113\.9","fields":\{"key":"k\\n1","verb":"get"\}\}$/,
    );
  });

  it('is read back as the event, and written again as the same line', () => {
    assert.deepEqual(parseRecord(line).event, event);
    assert.equal(eventLine(event), line.toString());
  });

  const changed = (change: (event: AuditEvent) => unknown): Buffer =>
    Buffer.from(JSON.stringify(change(JSON.parse(line.toString()) as AuditEvent)));

  for (const [name, bad] of [
    ['another order of members', changed(({ id, ...rest }) => ({ ...rest, id }))],
    ['white space', Buffer.from(line.toString().replace('","time', '", "time'))],
    ['an unknown member', changed((event) => ({ ...event, extra: 1 }))],
    ['a member twice', Buffer.from(line.toString().replace('{"id"', '{"id":"x","id"'))],
    ['no sequence', changed(({ sequence: _sequence, ...rest }) => rest)],
    ['sequence 0', changed((event) => ({ ...event, sequence: 0 }))],
    ['a fractional sequence', changed((event) => ({ ...event, sequence: 1.5 }))],
    ['a type without an area', changed((event) => ({ ...event, type: 'command' }))],
    ['a time zone', changed((event) => ({ ...event, time: '2026-01-02T03:04:05.678+01:00' }))],
    ['an id of another version', changed((event) => ({ ...event, id: '0190f5f0-1111-4222-8333-444455556666' }))],
    ['an agent with a space', changed((event) => ({ ...event, agent: 'agent 1' }))],
    ['a list for fields', changed((event) => ({ ...event, fields: [] }))],
    ['half of it', line.subarray(0, line.length / 2)],
    ['nothing', Buffer.alloc(0)],
    ['a number', Buffer.from('1')],
    ['bytes that are no UTF-8', Buffer.from(line.toString('latin1').replace('alice', 'al\xffce'), 'latin1')],
  ] as const)
    it(`with ${name} is none`, () => {
      assert.throws(() => parseRecord(bad), codeIs('protocol_violation'));
    });

  it('does not tell what was wrong in it by quoting it', () => {
    const secret = Buffer.from('{"id":"hunter2",,}');
    assert.throws(
      () => parseRecord(secret),
      (cause: Error) => codeIs('protocol_violation')(cause) && !cause.message.includes('hunter2'),
    );
  });

  it('longer than an entry can be is refused before it is parsed', () => {
    assert.throws(() => parseRecord(Buffer.alloc(maxLineBytes + 1, 0x20)), codeIs('limit_exceeded'));
  });
});

describe('an event that is too long for one entry', () => {
  const text = `${'"\\é😀\n'.repeat(15_000)}end`;
  const records = new Stream('agent-1').next('put', { fields: { verb: 'put', key: text } });

  it('is cut into parts that each fit', () => {
    assert.ok(records.length > 2);
    for (const { line } of records) assert.ok(line.length <= maxLineBytes);
    assert.deepEqual(
      records.map(({ event }) => [event.part?.number, event.part?.total, event.part?.of, event.fields]),
      records.map((_, at) => [at + 1, records.length, records[0]?.event.id, {}]),
    );
  });

  for (const [name, parts] of [
    ['in order', records],
    ['backwards', records.toReversed()],
    ['one of them twice', [...records.slice(0, 2), ...records.slice(1)]],
  ] as const)
    it(`is put together from its parts, ${name}`, () => {
      const joiner = new PartJoiner();
      const whole = parts.map(({ event }) => joiner.add(event)).filter((event) => event !== undefined);
      assert.equal(whole.length, 1);
      assert.deepEqual(whole[0]?.fields, { verb: 'put', key: text });
      assert.equal(whole[0].id, records[0]?.event.id);
      assert.equal(whole[0].part, undefined);
    });

  it('is given up where its parts are too many, too long, or no text of an event', () => {
    const [first, second] = records.map(({ event }) => event);
    assert.ok(first?.part && second?.part);
    const short = new PartJoiner({ events: 1, length: 1000 });
    assert.equal(short.add(first), undefined);
    const forgetful = new PartJoiner({ events: 1, length: 1e6 });
    forgetful.add(first);
    forgetful.add({ ...second, agent: 'agent-2' });
    assert.equal(forgetful.add(second), undefined);
    const bad = (number: number): AuditEvent => ({ ...first, part: { of: 'x', number, total: 2, text: '{' } });
    const joiner = new PartJoiner();
    assert.equal(joiner.add(bad(1)) ?? joiner.add(bad(2)), undefined);
  });

  it('is cut at characters, never inside one, whatever the text', () => {
    fc.assert(
      fc.property(fc.jsonValue(), fc.integer({ min: 4, max: 20 }), (value, budget) => {
        const whole = canonicalJson(value);
        const pieces = splitText(whole, budget);
        assert.equal(pieces.join(''), whole);
        for (const piece of pieces) assert.ok(Buffer.byteLength(JSON.stringify(piece)) - 2 <= budget, piece);
      }),
    );
  });
});
