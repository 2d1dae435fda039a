import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { serialize } from 'pg-protocol';
import { message } from '../src/wire.js';
import { backend } from './support/backend.js';
import { Conversation } from './support/conversation.js';

const { query, parse, bind, execute, sync } = serialize;
const { complete, ready } = backend;

describe('what the tap shows and records', () => {
  it('shows binary parameters as hexadecimal digits, and which they are', () => {
    const conversation = new Conversation();
    void conversation.client(
      parse({ text: 'x' }),
      bind({ values: ['a', Buffer.from([0, 255]), null] }),
      execute(),
      sync(),
    );
    assert.deepEqual(conversation.events[0]?.['parameters'], ['a', '\\x00ff', null]);
    assert.deepEqual(conversation.events[0]?.['binary'], [2]);
    assert.equal(conversation.events[0]?.['parameterCount'], 3);
  });

  it('keeps every byte of a text that is not UTF-8', () => {
    const conversation = new Conversation();
    void conversation.client(message('Q', Buffer.from('select \xe4\0', 'latin1')));
    assert.equal(conversation.events[0]?.['statement'], 'select ä');
  });

  it('shows the beginning of a long statement, and records it whole', () => {
    const conversation = new Conversation({ maxStatementBytes: 1024 });
    const text = `select '${'ä'.repeat(50_000)}'`;
    void conversation.client(query(text));
    const [event] = conversation.events;
    assert.equal(event?.['truncated'], true);
    assert.equal(event['statementBytes'], Buffer.byteLength(text));
    assert.equal(event['statementSha256'], createHash('sha256').update(text).digest('hex'));
    assert.ok(text.startsWith(event['statement'] as string));
    assert.ok(Buffer.byteLength(event['statement'] as string) >= 1023);
    assert.equal(conversation.lines[0]?.['statement'], text);
  });

  for (const size of [262_143, 262_144, 262_145, 3_000_000])
    it(`records a statement of ${size} bytes whole, in however many chunks it comes`, () => {
      const text = 'é'.repeat(size).slice(0, size);
      const whole = query(text);
      for (const chunk of [65_536, 8191]) {
        const conversation = new Conversation();
        for (let at = 0; at < whole.length; at += chunk)
          void conversation.tap.fromClient(whole.subarray(at, at + chunk));
        void conversation.server(complete('SELECT 1'), ready());
        const recorded = conversation.lines
          .filter(({ type }) => type === 'part')
          .map(({ text: part }) => part as string);
        assert.equal(recorded.length > 0 ? recorded.join('') : conversation.lines[0]?.['statement'], text);
        assert.equal(conversation.events[0]?.['statementSha256'], createHash('sha256').update(text).digest('hex'));
        assert.equal(conversation.events[1]?.['sequence'], conversation.events[0]?.['sequence']);
      }
    });

  it('shows the beginnings of long parameters, and records them whole', () => {
    const conversation = new Conversation({ maxParameterBytes: 64, maxStatementBytes: 1024 });
    const values = ['x'.repeat(100), Buffer.alloc(100, 7), 'y'.repeat(3000), ...Array<string>(30).fill('z'.repeat(60))];
    void conversation.client(parse({ text: 'x' }), bind({ values }), execute(), sync());
    const [event] = conversation.events;
    const parameters = event?.['parameters'] as string[];
    assert.deepEqual(parameters.slice(0, 3), ['x'.repeat(64), `\\x${'07'.repeat(64)}`, 'y'.repeat(64)]);
    assert.ok(parameters.length < values.length);
    assert.equal(event?.['parameterCount'], 33);
    assert.equal(event?.['truncated'], true);
    assert.deepEqual((conversation.lines[0]?.['parameters'] as string[])[2], 'y'.repeat(3000));
    assert.equal((conversation.lines[0]?.['parameters'] as string[]).length, 33);
  });

  it('records a parameter of a megabyte as it was sent', () => {
    const conversation = new Conversation();
    const whole = bind({ statement: 's', values: ['short', Buffer.alloc(1_000_000, 5)] });
    for (let at = 0; at < whole.length; at += 65_536) void conversation.tap.fromClient(whole.subarray(at, at + 65_536));
    const [event] = conversation.events;
    assert.deepEqual(event?.['parameters'], ['short']);
    assert.equal(event['parameterCount'], 2);
    assert.equal(event['parametersSha256'], createHash('sha256').update(whole.subarray(5)).digest('hex'));
    const parts = conversation.lines
      .filter(({ type }) => type === 'part')
      .map(({ base64 }) => Buffer.from(base64 as string, 'base64'));
    assert.deepEqual(Buffer.concat(parts), whole.subarray(5));
  });
});

describe('a long pipeline whose beginning fails', () => {
  it('is not held for answers that never come, before its Sync and behind it', async () => {
    const conversation = new Conversation();
    const many = Array.from({ length: 12_000 }, () => Buffer.concat([bind({}), execute()]));
    const held = conversation.client(parse({ text: 'insert' }), ...many);
    assert.ok(held instanceof Promise);
    void conversation.server(backend.error('42P01', 'no such table'));
    await held;
    assert.equal(conversation.client(...many), undefined);
    assert.equal(conversation.client(sync()), undefined);
    void conversation.server(ready());
    void conversation.client(query('select 1'));
    void conversation.server(complete('SELECT 1'), ready());
    const outcomes = conversation.events.filter(({ type }) => type === 'result').map(({ outcome }) => outcome);
    assert.deepEqual([outcomes[0], outcomes.at(-1)], ['failed', 'completed']);
    assert.ok(outcomes.length > 24_000);
    assert.ok(outcomes.slice(1, -1).every((outcome) => outcome === 'skipped'));
  });
});
