import assert from 'node:assert/strict';
import { serialize } from 'pg-protocol';
import { int32, message } from '../src/wire.js';
import { backend } from './support/backend.js';
import { Conversation } from './support/conversation.js';

const { parse, bind, execute, sync, close, query } = serialize;
const { parseComplete, bindComplete, closeComplete, complete, ready, error } = backend;

/** A statement named `s` that deletes, and is known to the server. */
function withStatement(name = 's'): Conversation {
  const conversation = new Conversation();
  void conversation.client(message('P', Buffer.from(`${name}\0delete from t\0\0\0`)), sync());
  void conversation.server(parseComplete, ready());
  return conversation;
}

const run = (statement: string): Buffer => Buffer.concat([bind({ statement }), execute(), sync()]);

/** The last query that was told of. */
function lastQuery(conversation: Conversation): Readonly<Record<string, unknown>> {
  return conversation.events.filter(({ type }) => type === 'query').at(-1) ?? {};
}

describe('an attacker who wants the log to show another statement', () => {
  it('cannot rename a statement by preparing another one under its name, which fails', () => {
    const conversation = withStatement();
    void conversation.client(parse({ name: 's', text: 'select 1' }), sync());
    void conversation.server(error('42P05', 'already exists'), ready());
    void conversation.client(run('s'));
    assert.equal(lastQuery(conversation)['statement'], 'delete from t');
    assert.equal(lastQuery(conversation)['alternatives'], undefined);
  });

  it('cannot do so before the server has answered either: both texts are shown', () => {
    const conversation = withStatement();
    void conversation.client(parse({ name: 's', text: 'select 1' }), sync(), run('s'));
    const { statement, alternatives } = lastQuery(conversation);
    assert.deepEqual([statement, ...(alternatives as string[])].sort(), ['delete from t', 'select 1']);
  });

  it('cannot replace the unnamed statement by one that the server skips after an error', () => {
    const conversation = new Conversation();
    void conversation.client(parse({ text: 'delete from t' }), sync());
    void conversation.server(parseComplete, ready());
    void conversation.client(execute({ portal: 'none', rows: 1 }), parse({ text: 'select 1' }), sync());
    void conversation.server(error('34000', 'no such portal'), ready());
    void conversation.client(run(''));
    assert.equal(lastQuery(conversation)['statement'], 'delete from t');
  });

  it('cannot do so in one breath either', () => {
    const conversation = new Conversation();
    void conversation.client(parse({ text: 'delete from t' }), sync());
    void conversation.server(parseComplete, ready());
    void conversation.client(execute({ portal: 'none', rows: 1 }), parse({ text: 'select 1' }), sync(), run(''));
    const { statement, alternatives } = lastQuery(conversation);
    assert.deepEqual([statement, ...(alternatives as string[])].sort(), ['delete from t', 'select 1']);
  });

  it('cannot pretend to close a statement', () => {
    const conversation = withStatement();
    void conversation.client(execute({ portal: 'none', rows: 1 }), close({ type: 'S', name: 's' }), sync());
    void conversation.server(error('34000', 'no such portal'), ready());
    void conversation.client(run('s'));
    assert.equal(lastQuery(conversation)['statement'], 'delete from t');
  });

  it('cannot use names that differ only where the server no longer looks', () => {
    const long = 'n'.repeat(63);
    const conversation = withStatement(`${long}a`);
    void conversation.client(message('P', Buffer.from(`${long}b\0select 1\0\0\0`)), sync(), run(`${long}b`));
    const { statement, alternatives } = lastQuery(conversation);
    assert.deepEqual([statement, ...(alternatives as string[])].sort(), ['delete from t', 'select 1']);
  });

  it('cannot give a name away in SQL without a sign of it in the log', () => {
    const conversation = withStatement();
    void conversation.client(query('deallocate s; prepare s as drop table t'));
    void conversation.server(complete('DEALLOCATE'), complete('PREPARE'), ready());
    void conversation.client(run('s'));
    assert.equal(lastQuery(conversation)['doubtful'], true);
  });

  it('cannot do so in one breath with its use either', () => {
    const conversation = withStatement();
    void conversation.client(query('deallocate s'), query('prepare s as drop table t'), run('s'));
    assert.equal(lastQuery(conversation)['doubtful'], true);
  });

  it('cannot have a statement told to have failed by an error that came after it', () => {
    const conversation = new Conversation();
    void conversation.client(query('delete from t'));
    void conversation.server(complete('DELETE 5'), ready());
    void conversation.client(serialize.describe({ type: 'S', name: 'none' }), sync());
    void conversation.server(error('26000', 'no such statement'), ready());
    assert.deepEqual(
      conversation.events.map(({ type }) => type),
      ['query', 'result', 'failure'],
    );
  });

  it('cannot keep results out of the log by a COPY that fails before its data', () => {
    const conversation = new Conversation();
    void conversation.client(parse({ text: 'copy t from stdin' }), bind(), execute(), sync());
    void conversation.server(parseComplete, bindComplete, backend.copyIn, error('P0001', 'not now'), ready());
    void conversation.client(query('delete from t'));
    void conversation.server(complete('DELETE 5'), ready());
    assert.equal(conversation.events.at(-1)?.['command'], 'DELETE');
  });

  it('cannot have a dropped text shown', () => {
    for (const text of ['DISCARD ALL', 'DEALLOCATE ALL']) {
      const conversation = withStatement();
      void conversation.client(query(text));
      void conversation.server(complete(text), ready());
      void conversation.client(run('s'));
      assert.equal(lastQuery(conversation)['statement'], undefined);
      assert.equal(lastQuery(conversation)['name'], 's');
    }
  });

  it('loses nothing that was prepared behind a DISCARD ALL in one breath', () => {
    const conversation = new Conversation();
    void conversation.client(query('discard all'), parse({ name: 's', text: 'select 1' }), sync());
    void conversation.server(complete('DISCARD ALL'), ready(), parseComplete, ready());
    void conversation.client(run('s'));
    assert.equal(lastQuery(conversation)['statement'], 'select 1');
  });

  it('cannot have a statement planned, and its functions run, without a line in the log', () => {
    const conversation = withStatement();
    void conversation.client(bind({ statement: 's' }), sync());
    assert.equal(lastQuery(conversation)['statement'], 'delete from t');
  });

  it('cannot have the result of one statement told of another', () => {
    const conversation = withStatement();
    void conversation.client(bind({ statement: 's', portal: 'p' }), serialize.flush());
    void conversation.server(bindComplete);
    void conversation.client(bind({ statement: 'harmless', portal: 'p' }), sync());
    void conversation.server(error('42P03', 'portal exists'), ready('E'));
    void conversation.client(query('rollback to before'));
    void conversation.server(complete('ROLLBACK'), ready('T'));
    void conversation.client(execute({ portal: 'p', rows: 0 }), sync());
    void conversation.server(complete('DELETE 5'), ready());
    const deleted = conversation.events.find(({ command }) => command === 'DELETE');
    const bound = conversation.events.find(({ name, type }) => type === 'query' && name === 's');
    assert.equal(deleted?.['sequence'], bound?.['sequence']);
  });

  it('cannot push a text out of memory before it was logged', () => {
    const conversation = new Conversation();
    void conversation.client(parse({ name: 's0', text: 'delete from t' }), sync());
    for (let n = 1; n < 300; n += 1)
      void conversation.client(parse({ name: `s${n}`, text: `select '${'x'.repeat(60_000)}'` }), sync());
    void conversation.client(run('s0'));
    assert.equal(lastQuery(conversation)['name'], 's0');
    assert.equal(conversation.events[0]?.['statement'], 'delete from t');
    assert.equal(conversation.events[0]?.['name'], 's0');
  });
});

describe('an attacker who wants memory', () => {
  it('prepares more statements than are kept, and keeps the newest', () => {
    const conversation = new Conversation();
    for (let n = 0; n < 5000; n += 1) {
      void conversation.client(parse({ name: `s${n}`, text: `select ${n}` }), sync());
      void conversation.server(parseComplete, ready());
    }
    void conversation.client(run('s4999'));
    assert.equal(lastQuery(conversation)['statement'], 'select 4999');
    void conversation.client(run('s0'));
    assert.equal(lastQuery(conversation)['statement'], undefined);
  });
});

const violations: readonly { readonly name: string; readonly bytes: Buffer }[] = [
  { name: 'a negative length', bytes: Buffer.concat([Buffer.from('Q'), int32(-1)]) },
  { name: 'a length that does not count itself', bytes: Buffer.concat([Buffer.from('Q'), int32(3)]) },
  { name: 'a length of more than a gigabyte', bytes: Buffer.concat([Buffer.from('Q'), int32(0x4000_0004)]) },
  { name: 'a Describe of more than 10,000 bytes', bytes: Buffer.concat([Buffer.from('D'), int32(10_005)]) },
  { name: 'an unknown type', bytes: message('?') },
  { name: 'a password that nobody asked for', bytes: message('p', Buffer.from('secret\0')) },
  { name: 'a query without an end', bytes: message('Q', Buffer.from('select 1')) },
  { name: 'a query with a second text behind the first', bytes: message('Q', Buffer.from('select 1\0drop table t\0')) },
  { name: 'a query without a body', bytes: message('Q') },
  { name: 'a Parse without a text', bytes: message('P', Buffer.from('name\0')) },
  { name: 'a Bind without parameters', bytes: message('B', Buffer.from('\0\0')) },
  { name: 'a Bind with fewer parameters than it announces', bytes: message('B', Buffer.from([0, 0, 0, 0, 255, 255])) },
  {
    name: 'a parameter longer than its message',
    bytes: message('B', Buffer.from([0, 0, 0, 0, 0, 1, 0x7f, 255, 255, 255])),
  },
  { name: 'a parameter of -2 bytes', bytes: message('B', Buffer.from([0, 0, 0, 0, 0, 1, 255, 255, 255, 254])) },
  { name: 'an Execute without a count', bytes: message('E', Buffer.from('p\0')) },
  { name: 'a Close of nothing', bytes: message('C', Buffer.from('X\0')) },
  { name: 'a Close without a body', bytes: message('C') },
  { name: 'a FunctionCall without a function', bytes: message('F', Buffer.from([1])) },
];

describe('a client that breaks the protocol', () => {
  for (const { name, bytes } of violations)
    it(`is cut off for ${name}`, () => {
      assert.throws(() => new Conversation().client(bytes), { code: 'protocol_violation' });
    });
});

describe('a server that breaks the protocol', () => {
  for (const [name, bytes] of [
    ['asks for the password of whoever is logged in', backend.authentication(3)],
    ['hands out another key', backend.keyData(1, 2)],
    ['sends a negative length', Buffer.concat([Buffer.from('D'), int32(-5)])],
    ['sends an unknown type', message('?')],
  ] as const)
    it(`is cut off when it ${name}`, () => {
      assert.throws(() => new Conversation().server(bytes), { code: 'unavailable', message: /broke the protocol/ });
    });

  it('only confuses itself with answers that nobody asked for', () => {
    const conversation = new Conversation();
    void conversation.server(parseComplete, bindComplete, closeComplete, complete('SELECT 1'), backend.portalSuspended);
    void conversation.server(backend.emptyQuery, backend.functionResult, backend.copyIn, ready(), ready());
    void conversation.client(query('select 1'));
    void conversation.server(bindComplete, complete('SELECT 1'), ready());
    assert.deepEqual(conversation.told, ['query 1 select 1', 'result 1 completed SELECT 1 part=1']);
  });
});
