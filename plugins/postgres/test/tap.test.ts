import assert from 'node:assert/strict';
import { PosternError } from '@postern/plugin-sdk';
import { serialize } from 'pg-protocol';
import { backend, frontend } from './support/backend.js';
import { Conversation } from './support/conversation.js';

const { query, parse, bind, execute, sync, close, copyData, copyDone, copyFail } = serialize;
const { complete, ready, error } = backend;

describe('SessionTap', () => {
  it('tells of a query that is never answered', async () => {
    const conversation = new Conversation();
    void conversation.client(query('select pg_sleep(10)'));
    await conversation.tap.finish();
    assert.deepEqual(conversation.told, ['query 1 select pg_sleep(10)', 'result 1 unanswered']);
  });

  it('counts the data of a COPY, in both directions', () => {
    const conversation = new Conversation();
    void conversation.client(query('copy t from stdin'));
    void conversation.server(backend.copyIn);
    void conversation.client(copyData(Buffer.from('1\n')), copyData(Buffer.from('22\n')), copyDone());
    void conversation.server(complete('COPY 2'), ready());
    void conversation.client(query('copy t to stdout'));
    void conversation.server(backend.copyOut, backend.copyData('1\n'), backend.copyDone, complete('COPY 1'), ready());
    const results = conversation.events.filter(({ type }) => type === 'result');
    assert.deepEqual(
      results.map(({ copy, copyBytes, rows }) => ({ copy, copyBytes, rows })),
      [
        { copy: 'in', copyBytes: 5, rows: 2 },
        { copy: 'out', copyBytes: 2, rows: 1 },
      ],
    );
  });

  it('stays in step when a Sync is sent into a COPY, where the server ignores it', () => {
    const conversation = new Conversation();
    void conversation.client(parse({ text: 'copy t from stdin' }), bind(), execute(), sync());
    void conversation.server(backend.parseComplete, backend.bindComplete, backend.copyIn);
    void conversation.client(copyData(Buffer.from('1\n')), sync(), copyDone(), sync());
    void conversation.server(complete('COPY 1'), ready());
    void conversation.client(query('select 1'));
    void conversation.server(complete('SELECT 1'), ready());
    assert.deepEqual(conversation.told, [
      'query 1 copy t from stdin',
      'result 1 completed COPY 1',
      'query 2 select 1',
      'result 2 completed SELECT 1 part=1',
    ]);
  });

  it('knows which Sync the server ignored where a whole COPY and more came in one breath', () => {
    const conversation = new Conversation();
    const row = copyData(Buffer.from('1\n'));
    void conversation.client(
      ...[parse({ text: 'copy t from stdin' }), bind(), execute(), sync(), row, copyDone(), sync()],
      ...[parse({ text: 'select 1' }), bind(), execute(), sync()],
      ...[parse({ text: 'select 2' }), bind(), execute(), sync()],
    );
    void conversation.server(backend.parseComplete, backend.bindComplete, backend.copyIn, complete('COPY 1'), ready());
    void conversation.server(backend.parseComplete, backend.bindComplete, error('22012', 'no'), ready());
    void conversation.server(backend.parseComplete, backend.bindComplete, complete('SELECT 1'), ready());
    assert.deepEqual(conversation.told.slice(3), [
      'result 1 completed COPY 1',
      'result 2 failed 22012',
      'result 3 completed SELECT 1',
    ]);
  });

  it('waits for no answer to the end of a COPY that never began', () => {
    const conversation = new Conversation();
    void conversation.client(parse({ text: 'select 1' }), bind(), execute(), copyDone(), copyDone(), sync());
    void conversation.client(copyDone(), query('select 2'));
    void conversation.server(backend.parseComplete, backend.bindComplete, complete('SELECT 1'), ready());
    void conversation.server(complete('SELECT 2'), ready());
    assert.deepEqual(conversation.told.slice(2), ['result 1 completed SELECT 1', 'result 2 completed SELECT 2 part=1']);
  });

  it('does not call an older statement skipped when its portal is named after a Bind that failed', () => {
    const conversation = new Conversation();
    const { parseComplete, bindComplete } = backend;
    void conversation.client(parse({ text: 'select 1' }), bind(), execute(), sync());
    void conversation.server(parseComplete, bindComplete, complete('SELECT 1'), ready());
    void conversation.client(parse({ text: 'select 1/$1' }), bind());
    void conversation.server(parseComplete, error('22012', 'division by zero'));
    void conversation.client(execute(), parse({ text: 'select 3' }), bind(), execute(), sync());
    void conversation.server(ready());
    assert.deepEqual(
      conversation.told.filter((one) => one.startsWith('result')),
      ['result 1 completed SELECT 1', 'result 2 failed 22012', 'result 3 skipped'],
    );
  });

  it('stays in step when a COPY fails', () => {
    const conversation = new Conversation();
    void conversation.client(parse({ text: 'copy t from stdin' }), bind(), execute(), sync());
    void conversation.server(backend.parseComplete, backend.bindComplete, backend.copyIn);
    void conversation.client(copyFail('no'), sync());
    void conversation.server(error('57014', 'no'), ready());
    void conversation.client(parse({ text: 'select 1' }), bind(), execute(), sync());
    void conversation.server(backend.parseComplete, backend.bindComplete, complete('SELECT 1'), ready());
    assert.deepEqual(conversation.told.slice(1), [
      'result 1 failed 57014',
      'query 2 select 1',
      'result 2 completed SELECT 1',
    ]);
  });

  it('holds a chunk until the log has taken what it says', async () => {
    const conversation = new Conversation();
    let release = (): void => {};
    conversation.hold = () => new Promise((resolve) => (release = resolve));
    const hold = conversation.client(query('select 1'));
    assert.ok(hold instanceof Promise);
    let settled = false;
    void hold.then(() => (settled = true));
    await Promise.resolve();
    assert.equal(settled, false);
    release();
    await hold;
  });

  it('passes on that the log cannot take it', async () => {
    const conversation = new Conversation();
    conversation.hold = () => Promise.reject(new PosternError('audit_unavailable', 'disk full'));
    await assert.rejects(async () => conversation.client(query('select 1')), { code: 'audit_unavailable' });
  });

  it('makes a client wait that asks faster than the server answers', async () => {
    const conversation = new Conversation();
    const many = Array<Buffer>(20_000).fill(sync());
    const hold = conversation.client(...many);
    assert.ok(hold instanceof Promise);
    for (let answered = 0; answered < 4; answered += 1) void conversation.server(...Array<Buffer>(3000).fill(ready()));
    await hold;
  });

  it('knows what the client still lacks of a message', () => {
    const conversation = new Conversation();
    const row = backend.row('a'.repeat(100));
    void conversation.server(backend.row('b'), row.subarray(0, 50));
    assert.equal(conversation.tap.owed, row.length - 50);
    void conversation.server(row.subarray(50));
    assert.equal(conversation.tap.owed, 0);
    void conversation.server(row.subarray(0, 3));
    assert.equal(conversation.tap.owed, undefined);
  });

  it('does not know where the client is while a chunk that completes a message is held', async () => {
    const conversation = new Conversation();
    void conversation.client(query('select 1'));
    void conversation.server(backend.row('a').subarray(0, 8));
    let release = (): void => {};
    conversation.hold = () => new Promise((resolve) => (release = resolve));
    const hold = conversation.server(backend.row('a').subarray(8), complete('SELECT 1'));
    assert.equal(conversation.tap.owed, undefined);
    conversation.abort.abort();
    release();
    await hold;
    assert.equal(conversation.tap.owed, undefined);
  });

  it('sees the same wherever chunks begin and end', () => {
    const client = Buffer.concat([
      parse({ name: 's', text: 'select $1' }),
      bind({ statement: 's', values: ['v', Buffer.from([1])] }),
      execute(),
      close({ type: 'S', name: 's' }),
      sync(),
      query('select 2'),
      frontend.functionCall(1, Buffer.from('x')),
      copyData(Buffer.from('d')),
      serialize.end(),
    ]);
    const server = Buffer.concat([
      backend.parseComplete,
      backend.bindComplete,
      backend.row('1', '2'),
      complete('SELECT 1'),
      backend.closeComplete,
      ready(),
      backend.notice('n'),
      error('42P01', 'no'),
      ready(),
      backend.functionResult,
      ready(),
    ]);
    const whole = new Conversation();
    void whole.client(client);
    void whole.server(server);
    assert.equal(whole.events.length, 7);
    for (let at = 0; at <= Math.max(client.length, server.length); at += 1) {
      const split = new Conversation();
      for (const part of [client.subarray(0, at), client.subarray(at)]) if (part.length > 0) void split.client(part);
      for (const part of [server.subarray(0, at), server.subarray(at)]) if (part.length > 0) void split.server(part);
      assert.deepEqual(split.events, whole.events, `split at ${at}`);
    }
    const bytewise = new Conversation();
    for (const byte of client) void bytewise.client(Buffer.from([byte]));
    for (const byte of server) void bytewise.server(Buffer.from([byte]));
    assert.deepEqual(bytewise.events, whole.events);
  });
});
