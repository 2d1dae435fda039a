import assert from 'node:assert/strict';
import { serialize } from 'pg-protocol';
import { backend } from './support/backend.js';
import { Conversation } from './support/conversation.js';

const { query, parse, bind, execute, sync } = serialize;
const { parseComplete, bindComplete, portalSuspended, complete, ready, error } = backend;

/** A conversation in which a portal was bound and read in part, after which the server says this. */
function suspended(portal: string, state: 'I' | 'T'): Conversation {
  const conversation = new Conversation();
  void conversation.client(parse({ text: 'select * from t' }), bind({ portal }), execute({ portal, rows: 1 }), sync());
  void conversation.server(parseComplete, bindComplete, portalSuspended, ready(state));
  return conversation;
}

const last = (conversation: Conversation, count: number): readonly string[] => conversation.told.slice(-count);
const more = (portal: string): Buffer => execute({ portal, rows: 0 });

describe('a portal', () => {
  for (const portal of ['', 'p'])
    it(`${portal === '' ? 'without a name' : 'with a name'} outlives its segment within a transaction`, () => {
      const conversation = suspended(portal, 'T');
      void conversation.client(more(portal), sync());
      void conversation.server(complete('SELECT 5'), ready('T'));
      assert.deepEqual(last(conversation, 1), ['result 1 completed SELECT 5']);
    });

  it('dies with the transaction that a single statement is', () => {
    const conversation = suspended('p', 'I');
    void conversation.client(more('p'), sync());
    void conversation.server(error('34000', 'portal "p" does not exist'), ready());
    assert.deepEqual(last(conversation, 2), ['query 2 portal="p"', 'result 2 failed 34000']);
  });

  it('without a name that is dead is an error of no statement', () => {
    const conversation = suspended('', 'I');
    void conversation.client(more(''), sync());
    void conversation.server(error('34000', 'portal "" does not exist'), ready());
    assert.deepEqual(last(conversation, 1), ['failure 34000']);
  });

  for (const [end, tag, state] of [
    ['commit', 'COMMIT', 'I'],
    ['rollback', 'ROLLBACK', 'I'],
    ['commit and chain', 'COMMIT', 'T'],
    ["prepare transaction 'x'", 'PREPARE TRANSACTION', 'I'],
  ] as const)
    it(`dies with its transaction at a ${tag}${state === 'T' ? ' after which another begins' : ''}`, () => {
      const conversation = suspended('p', 'T');
      void conversation.client(query(end), more('p'), sync());
      void conversation.server(complete(tag), ready(state));
      void conversation.client(more('p'), sync());
      void conversation.server(error('34000', 'no p'), ready(state), error('34000', 'no p'), ready(state));
      // The first was sent while the portal was still there, for all that was known.
      assert.deepEqual(last(conversation, 3), ['query 3 portal="p"', 'result 1 failed 34000', 'result 3 failed 34000']);
    });

  it('survives a rollback to what came after it', () => {
    const conversation = suspended('p', 'T');
    void conversation.client(query('rollback to savepoint s'));
    void conversation.server(complete('ROLLBACK'), ready('T'));
    void conversation.client(more('p'), sync());
    void conversation.server(complete('SELECT 4'), ready('T'));
    assert.deepEqual(last(conversation, 1), ['result 1 completed SELECT 4']);
  });

  it('that was bound behind the end of a transaction in one breath lives', () => {
    const conversation = suspended('p', 'T');
    const again = [parse({ text: 'select 2' }), bind({ portal: 'p' }), execute({ portal: 'p', rows: 1 }), sync()];
    void conversation.client(query('commit'), ...again);
    void conversation.server(complete('COMMIT'), ready('I'), parseComplete, bindComplete, portalSuspended, ready('T'));
    void conversation.client(more('p'), sync());
    void conversation.server(complete('SELECT 1'), ready('T'));
    assert.deepEqual(last(conversation, 1), ['result 3 completed SELECT 1']);
  });

  it('that SQL declared to be held is one that no Bind made', () => {
    const conversation = new Conversation();
    void conversation.client(query('declare c cursor with hold for select 1'));
    void conversation.server(complete('DECLARE CURSOR'), ready('I'));
    void conversation.client(more('c'), sync());
    void conversation.server(complete('SELECT 1'), ready('I'));
    assert.deepEqual(last(conversation, 2), ['query 2 portal="c"', 'result 2 completed SELECT 1']);
  });
});
