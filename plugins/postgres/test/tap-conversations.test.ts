import assert from 'node:assert/strict';
import { serialize } from 'pg-protocol';
import { message } from '../src/wire.js';
import { backend, frontend } from './support/backend.js';
import { Conversation } from './support/conversation.js';

const { query, parse, bind, execute, sync, close, describe: describeMessage } = serialize;
const { complete, ready, error } = backend;

/** What a client sends and a server answers, and what is told of it. */
const conversations: readonly {
  readonly name: string;
  readonly said: (Buffer | readonly Buffer[])[];
  readonly told: string[];
}[] = [
  {
    name: 'a simple query',
    said: [query('select 1'), [backend.rowDescription('a'), backend.row('1'), complete('SELECT 1'), ready()]],
    told: ['query 1 select 1', 'result 1 completed SELECT 1 part=1'],
  },
  {
    name: 'several statements in one query',
    said: [
      query('create table t(); insert into t default values; selec'),
      [complete('CREATE TABLE'), complete('INSERT 0 1'), error('42601', 'no'), ready()],
    ],
    told: [
      'query 1 create table t(); insert into t default values; selec',
      'result 1 completed CREATE TABLE part=1',
      'result 1 completed INSERT 1 part=2',
      'result 1 failed part=3 42601',
    ],
  },
  {
    name: 'an empty query',
    said: [query(''), [backend.emptyQuery, ready()]],
    told: ['query 1 ', 'result 1 empty part=1'],
  },
  {
    name: 'a prepared statement that is run twice',
    said: [
      [parse({ name: 's1', text: 'select $1' }), describeMessage({ type: 'S', name: 's1' }), sync()],
      [backend.parseComplete, message('t', Buffer.alloc(2)), backend.noData, ready()],
      [bind({ statement: 's1', values: ['a'] }), execute(), sync()],
      [backend.bindComplete, backend.row('a'), complete('SELECT 1'), ready()],
      [bind({ statement: 's1', values: [null] }), execute(), sync()],
      [backend.bindComplete, complete('SELECT 0'), ready()],
    ],
    told: [
      'prepare 1 select $1 s1',
      'query 2 select $1 s1 ["a"]',
      'result 2 completed SELECT 1',
      'query 3 select $1 s1 [null]',
      'result 3 completed SELECT 0',
    ],
  },
  {
    name: 'a statement without a name, prepared and run in one breath',
    said: [
      [parse({ text: 'select 1' }), bind(), describeMessage({ type: 'P' }), execute(), sync()],
      [backend.parseComplete, backend.bindComplete, backend.noData, complete('SELECT 1'), ready()],
    ],
    told: ['query 1 select 1', 'result 1 completed SELECT 1'],
  },
  {
    name: 'a statement without a name that is not run',
    said: [
      [parse({ text: 'select 1' }), describeMessage({ type: 'S' }), sync()],
      [backend.parseComplete, backend.noData, ready()],
    ],
    told: ['prepare 1 select 1 '],
  },
  {
    name: 'a statement that does not parse',
    said: [
      [parse({ text: 'selec' }), bind(), execute(), sync()],
      [error('42601', 'syntax error'), ready()],
    ],
    told: ['query 1 selec', 'result 1 failed 42601'],
  },
  {
    name: 'a named statement that does not parse',
    said: [
      [parse({ name: 's', text: 'selec' }), sync()],
      [error('42601', 'syntax error'), ready()],
    ],
    told: ['prepare 1 selec s', 'result 1 failed 42601'],
  },
  {
    name: 'a pipeline that fails in the middle',
    said: [
      [
        ...[1, 2, 3, 4].flatMap((n) => [parse({ text: `select ${n}` }), bind(), execute()]),
        sync(),
        parse({ text: 'select 5' }),
        bind(),
        execute(),
        sync(),
      ],
      [
        ...[backend.parseComplete, backend.bindComplete, complete('SELECT 1')],
        ...[backend.parseComplete, backend.bindComplete, error('22012', 'division by zero'), ready()],
        ...[backend.parseComplete, backend.bindComplete, complete('SELECT 1'), ready()],
      ],
    ],
    told: [
      'query 1 select 1',
      'query 2 select 2',
      'query 3 select 3',
      'query 4 select 4',
      'query 5 select 5',
      'result 1 completed SELECT 1',
      'result 2 failed 22012',
      'result 3 skipped',
      'result 4 skipped',
      'result 5 completed SELECT 1',
    ],
  },
  {
    name: 'a simple query that is skipped after an error',
    said: [
      [bind({ statement: 'none' }), execute(), query('select 2'), sync()],
      [error('26000', 'no such statement'), ready()],
      query('select 3'),
      [complete('SELECT 1'), ready()],
    ],
    told: [
      'query 1 none',
      'query 2 select 2',
      'result 1 failed 26000',
      'result 2 skipped',
      'query 3 select 3',
      'result 3 completed SELECT 1 part=1',
    ],
  },
  {
    name: 'a commit that fails',
    said: [
      [parse({ text: 'insert' }), bind(), execute(), sync()],
      [backend.parseComplete, backend.bindComplete, complete('INSERT 0 1'), error('23503', 'foreign key'), ready()],
    ],
    told: ['query 1 insert', 'result 1 completed INSERT 1', 'result 1 failed 23503'],
  },
  {
    name: 'a result that is fetched in portions',
    said: [
      [parse({ text: 'select' }), bind({ portal: 'p' }), execute({ portal: 'p', rows: 10 }), serialize.flush()],
      [backend.parseComplete, backend.bindComplete, backend.row('1'), backend.portalSuspended],
      [execute({ portal: 'p', rows: 10 }), close({ type: 'P', name: 'p' }), sync()],
      [complete('SELECT 3'), backend.closeComplete, ready()],
    ],
    told: ['query 1 select', 'result 1 suspended 10', 'result 1 completed SELECT 3'],
  },
  {
    name: 'a cursor that SQL declared and the protocol reads',
    said: [
      [execute({ portal: 'c1', rows: 2 }), sync()],
      [backend.portalSuspended, ready('T')],
    ],
    told: ['query 1 portal="c1"', 'result 1 suspended 2'],
  },
  {
    name: 'a function call',
    said: [frontend.functionCall(957, Buffer.from([1, 2]), null), [backend.functionResult, ready()]],
    told: ['call 1 ["\\\\x0102",null]', 'result 1 completed'],
  },
  {
    name: 'an error that belongs to no statement',
    said: [[], error('57P01', 'terminating connection due to administrator command', 'FATAL')],
    told: ['failure 57P01'],
  },
  {
    name: 'notices, notifications and settings',
    said: [
      query('notify'),
      [backend.notice('hello'), backend.notification, backend.status('TimeZone', 'UTC'), complete('NOTIFY'), ready()],
    ],
    told: ['query 1 notify', 'result 1 completed NOTIFY part=1'],
  },
];

/** Plays a conversation: client and server take turns. */
function play(said: (typeof conversations)[number]['said']): Conversation {
  const conversation = new Conversation();
  for (const [index, messages] of said.entries()) {
    const all = Array.isArray(messages) ? (messages as Buffer[]) : [messages as Buffer];
    if (index % 2 === 0) void conversation.client(...all);
    else void conversation.server(...all);
  }
  return conversation;
}

describe('the tap', () => {
  for (const { name, said, told } of conversations)
    it(`tells of ${name}`, () => {
      assert.deepEqual(play(said).told, told);
    });
});
