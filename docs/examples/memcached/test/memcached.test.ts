import assert from 'node:assert/strict';
import {
  dialTcp,
  duplexPair,
  fakeHost,
  needProgram,
  startSession,
  type FakeHost,
  type Upstream,
} from '@postern/plugin-sdk/testing';
import { memcached, MemcachedSession } from '../src/index.js';
import { realMemcached } from './server.js';

type Verbs = readonly string[];

describe('memcached', () => {
  let upstream: Upstream;
  before(async function () {
    upstream = await realMemcached(needProgram(this, 'memcached', 'memcached'));
  });
  after(async () => upstream?.close());

  /** Sends all of this, with a role for these verbs, and returns what came back. */
  async function ask(
    verbs: Verbs,
    ...chunks: readonly (string | Buffer)[]
  ): Promise<{ answer: string; host: FakeHost<typeof memcached> }> {
    const host = fakeHost({ protocol: memcached, spec: upstream.spec, allow: { verbs } });
    const [client, near] = duplexPair();
    const { done } = startSession(host, { Session: MemcachedSession }, near);
    const answer: Buffer[] = [];
    client.on('data', (chunk: Buffer) => answer.push(chunk)).on('error', () => {});
    for (const chunk of chunks) client.write(chunk);
    client.end();
    await done;
    return { answer: Buffer.concat(answer).toString('latin1'), host };
  }

  /** What the server itself says, without anybody in between. */
  async function directly(question: string): Promise<string> {
    const socket = await dialTcp(upstream.spec as { host: string; port: number });
    socket.end(question);
    const parts: Buffer[] = [];
    for await (const chunk of socket) parts.push(chunk as Buffer);
    return Buffer.concat(parts).toString();
  }

  it('answers in the order of the commands, refused ones among them', async () => {
    const { answer } = await ask(
      ['get', 'set'],
      'set k 0 0 1\r\n1\r\nget k\r\nflush_all\r\nget k\r\ndelete k\r\nget k\r\n',
    );
    const value = 'VALUE k 0 1\r\n1\r\nEND\r\n';
    assert.equal(answer, `STORED\r\n${value}ERROR\r\n${value}ERROR\r\n${value}`);
  });

  it('swallows the data of a refused command', async () => {
    await directly('set k 0 0 1\r\n1\r\n');
    const { answer } = await ask(['get'], 'set k 0 0 9\r\nflush_all\r\nget k\r\n');
    assert.equal(answer, 'ERROR\r\nVALUE k 0 1\r\n1\r\nEND\r\n');
  });

  it('answers nothing to a refused command that wants no reply', async () => {
    await directly('set k 0 0 1\r\n1\r\n');
    const { answer } = await ask(['get'], 'set k 0 0 1 noreply\r\n2\r\nflush_all noreply\r\nget k\r\n');
    assert.equal(answer, 'VALUE k 0 1\r\n1\r\nEND\r\n');
  });

  it('carries every byte of a value, and more than a chunk of them', async () => {
    const value = Buffer.from(Array.from({ length: 300_000 }, (_, at) => (at * 7919) % 256));
    const { answer } = await ask(['get', 'set'], `set bin 5 0 ${value.length}\r\n`, value, '\r\nget bin\r\n');
    assert.equal(answer, `STORED\r\nVALUE bin 5 ${value.length}\r\n${value.toString('latin1')}\r\nEND\r\n`);
  });

  it('audits each command and denial, and no data', async () => {
    const { host } = await ask(['set'], 'set k 0 0 6\r\nsecret\r\nget k\r\n');
    assert.deepEqual(
      host.events.map(({ type, fields }) => [type, fields['line'] ?? fields['ask']]),
      [
        ['session.start', {}],
        ['memcached.command', 'set k 0 0 6'],
        ['session.denied', { verb: 'get' }],
        ['session.end', undefined],
      ],
    );
  });

  it('ends a session whose line never ends', async () => {
    const { answer, host } = await ask(['get'], `get ${'k'.repeat(100_000)}`);
    assert.equal(answer, 'SERVER_ERROR limit exceeded\r\n');
    assert.equal(host.forwarded().length, 0);
  });

  it('would run a command that hides in data, without anybody in between', async () => {
    await directly('set witness 0 0 4\r\nhere\r\n');
    await directly(`set ${'k'.repeat(251)} 0 0 11\r\nflush_all\r\n\r\n`);
    assert.equal(await directly('get witness\r\n'), 'END\r\n');
  });

  describe('cannot be made to run a forbidden command', () => {
    const attacks: Record<string, string> = {
      'as the data of a set whose key is too long': `set ${'k'.repeat(251)} 0 0 11\r\nflush_all\r\n\r\n`,
      'as the data of a set with a word too many': 'set k 0 0 11 1 2\r\nflush_all\r\n\r\n',
      'as the data of a set with a word too few': 'set k 0 11\r\nflush_all\r\n\r\n',
      'as the data of a set with flags that overflow': 'set k 4294967296 0 11\r\nflush_all\r\n\r\n',
      'as the data of a set with an expiry that overflows': 'set k 0 99999999999 11\r\nflush_all\r\n\r\n',
      'as the data of a set with a negative size': 'set k 0 0 -11\r\nflush_all\r\n\r\n',
      'as the data of a set with a size that is no number': 'set k 0 0 11x\r\nflush_all\r\n\r\n',
      'as the data of a set with two spaces': 'set  k 0 0 11\r\nflush_all\r\n\r\n',
      'as the data of a set with a tab': 'set k\t0 0 11\r\nflush_all\r\n\r\n',
      'as the data of a set with a NUL in its line': 'set k 0 0 11\0 1\r\nflush_all\r\n\r\n',
      'as the data of a set that is larger than the cache allows': `set k 0 0 900000000\r\n${'x'.repeat(5000)}\r\nflush_all\r\n`,
      'behind the data of a set that is shorter than announced': 'set k 0 0 1\r\nflush_all\r\nflush_all\r\n',
      'as the data of a compare-and-swap': 'cas k 0 0 11\r\nflush_all\r\n\r\n',
      'as the data of a meta command': 'ms k 11\r\nflush_all\r\n\r\n',
      'behind a carriage return': 'get k\rflush_all\r\n',
      'behind a bare line feed': 'get k\nflush_all\n',
      'in another case': 'FLUSH_ALL\r\n',
      'behind a space': ' flush_all\r\n',
      'with a NUL behind it': 'flush_all\0\r\n',
    };
    for (const [how, bytes] of Object.entries(attacks))
      it(how, async () => {
        await directly('set witness 0 0 4\r\nhere\r\n');
        await ask(['set', 'get'], bytes, bytes);
        await ask(['set', 'get'], ...[...Buffer.from(bytes, 'latin1')].map((byte) => Buffer.of(byte)));
        assert.equal(await directly('get witness\r\n'), 'VALUE witness 0 4\r\nhere\r\nEND\r\n');
      });
  });
});
