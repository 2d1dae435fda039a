import assert from 'node:assert/strict';
import type { Socket } from 'node:net';
import { loopback, type Loopback } from '@postern/plugin-sdk/testing';
import { serialize } from 'pg-protocol';
import { int32, message } from '../src/wire.js';
import { backend } from './support/backend.js';
import { RawClient } from './support/raw-client.js';
import { Stand } from './support/stand.js';

const { complete, ready, row, rowDescription } = backend;

/** What a server answers to every query. */
interface Answer {
  lie: Buffer;
  hangsUp: boolean;
}

/** Plays a server without TLS that lets everybody in. */
const serve =
  (answer: Answer) =>
  (socket: Socket): void => {
    let greeted = false;
    socket.once('end', () => socket.end());
    socket.on('data', (chunk: Buffer) => {
      if (!greeted) {
        greeted = true;
        socket.write(Buffer.concat([backend.authentication(0), backend.keyData(1, 2), ready()]));
      } else if (chunk[0] === 0x58) socket.end();
      else if (chunk[0] === 0x51) {
        socket.write(answer.lie);
        if (answer.hangsUp) socket.end();
      }
    });
  };

describe('a database that lies in the middle of a session', function () {
  this.timeout(30_000);

  const answer: Answer = { lie: Buffer.alloc(0), hangsUp: false };
  let server: Loopback;
  let stand: Stand;
  before(async () => {
    server = await loopback(serve(answer));
    stand = await Stand.start({
      spec: { host: server.host, port: server.port, tls: { mode: 'disable' }, auth: { method: 'trust' } },
      access: { alice: { users: ['app'], databases: ['bench'] } },
      config: { abandoned_statement_seconds: 0 },
    });
  });
  after(async () => {
    await (stand as Stand | undefined)?.[Symbol.asyncDispose]();
    await (server as Loopback | undefined)?.close();
  });
  beforeEach(() => void stand.events.splice(0));

  const types = (): readonly string[] => stand.events.map(({ type }) => type);

  const violations: readonly (readonly [string, Buffer])[] = [
    ['a message of an unknown type', message('@')],
    ['a message of a client', message('Q', Buffer.from('select 1\0'))],
    ['a length that is too short', Buffer.concat([Buffer.from('C'), int32(3)])],
    ['a length below zero', Buffer.concat([Buffer.from('D'), int32(-1)])],
    ['a length of two gigabytes', Buffer.concat([Buffer.from('D'), int32(0x7fff_ffff)])],
    ['a question for the password', backend.authentication(3)],
    ['another key for cancelling', backend.keyData(3, 4)],
    ['zeros', Buffer.alloc(200)],
    ['an answer, and then garbage', Buffer.concat([rowDescription('a'), row('1'), Buffer.alloc(20, 0xff)])],
  ];
  for (const [name, lie] of violations)
    it(`is cut off, and its client told why, once: ${name}`, async () => {
      answer.lie = lie;
      using client = await RawClient.open(stand);
      await client.login();
      await client.send(serialize.query('select 1'));
      const { severity, sqlstate, message: text } = await client.error();
      assert.deepEqual([severity, sqlstate], ['FATAL', '08P01']);
      assert.match(text, /^the database broke the protocol: /);
      await client.closed();
      await stand.idle();
      assert.deepEqual(types(), ['start', 'postgres.login', 'postgres.query', 'postgres.result', 'end']);
      assert.equal(stand.seen('result')[0]?.['outcome'], 'unanswered');
      assert.equal(stand.events.at(-1)?.fields['outcome'], 'failed');
    });

  const disorders: readonly (readonly [string, Buffer])[] = [
    [
      'answers to what nobody asked',
      Buffer.concat([backend.parseComplete, backend.bindComplete, backend.closeComplete]),
    ],
    [
      'the end of a query again and again',
      Buffer.concat([ready(), ready(), complete('SELECT 1'), complete('SELECT 2')]),
    ],
    [
      'COPY that nobody asked for',
      Buffer.concat([backend.copyIn, backend.copyOut, backend.copyData('x'), backend.copyDone]),
    ],
    ['errors without end', Buffer.concat(Array<Buffer>(50).fill(backend.error('XX000', 'lies')))],
    [
      'settings without sense',
      Buffer.concat([
        message('S'),
        message('S', Buffer.from('client_encoding')),
        backend.status('client_encoding', 'x'.repeat(9000)),
      ]),
    ],
  ];
  for (const [name, lie] of disorders)
    it(`only confuses its own client with ${name}`, async () => {
      answer.lie = Buffer.concat([lie, complete('SELECT 1'), ready()]);
      using client = await RawClient.open(stand);
      await client.login();
      for (const text of ['select 1', 'select 2']) {
        await client.send(serialize.query(text));
        await client.until('Z');
      }
      await client.send(serialize.end());
      await client.closed();
      await stand.idle();
      assert.deepEqual(
        stand.seen('query').map(({ statement }) => statement),
        ['select 1', 'select 2'],
      );
      assert.equal(types().at(-1), 'end');
      assert.ok(stand.seen('result').every(({ sequence }) => sequence === 1 || sequence === 2));
    });

  it('that hangs up inside of a message ends the session, and what was asked has no answer', async () => {
    answer.lie = Buffer.concat([Buffer.from('D'), int32(100), Buffer.alloc(10)]);
    answer.hangsUp = true;
    using client = await RawClient.open(stand);
    await client.login();
    await client.send(serialize.query('select 1'));
    await client.closed();
    await stand.idle();
    assert.deepEqual(types(), ['start', 'postgres.login', 'postgres.query', 'postgres.result', 'end']);
    assert.equal(stand.seen('result')[0]?.['outcome'], 'unanswered');
  });
});
