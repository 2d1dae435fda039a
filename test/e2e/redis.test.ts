import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createLock, deleteLock } from '@postern/kernel/api/contract';
import { needProgram } from '@postern/plugin-sdk/testing';
import { Redis } from 'ioredis';
import { createClient } from 'redis';
import { until } from '../support/cluster.js';
import type { TestLogin } from '../support/login.js';
import { RedisSite } from './support/redis.js';

describe('redis-cli and drivers through a cluster', function () {
  this.timeout(30_000);
  let site: RedisSite;
  const logins = new Map<string, TestLogin>();
  const as = (user: string): TestLogin => logins.get(user) ?? assert.fail(user);

  before(async function () {
    needProgram(this, 'redis-server', 'redis-server');
    needProgram(this, 'redis-cli', 'redis-tools');
    site = await RedisSite.start();
    for (const user of ['alice', 'mona', 'rita', 'bob', 'eve']) logins.set(user, await site.cluster.login(user));
  });
  after(() => (site as RedisSite | undefined)?.[Symbol.asyncDispose]());

  const tlsFor = (user: string) => ({
    servername: site.hostname,
    ca: site.cluster.authorities,
    cert: as(user).certificate,
    key: as(user).key,
  });

  /** A redis-cli that runs on, with what it has printed. */
  async function running(user: string, args: readonly string[], shown: RegExp) {
    const child = spawn('redis-cli', [...(await site.options(as(user))), ...args]);
    let printed = '';
    for (const stream of [child.stdout, child.stderr]) stream.on('data', (data) => (printed += String(data)));
    const closed = once(child, 'close');
    await until(() => shown.test(printed) || child.exitCode !== null);
    return { child, closed, printed: () => printed };
  }

  it('logs in with a password that the agent alone knows', async () => {
    assert.equal(await site.cli(as('alice'), ['ACL', 'WHOAMI']), 'app\n');
  });

  it('lets the client name its user, whatever password it says', async () => {
    assert.match(await site.cli(as('alice'), ['--user', 'app', '--pass', 'wrong', 'ACL', 'WHOAMI']), /^app$/m);
  });

  it('speaks RESP3 where the client asks for it', async () => {
    assert.match(await site.cli(as('alice'), ['-3', 'HELLO', '3']), /proto.*3/s);
  });

  const denied: readonly (readonly [string, readonly string[], RegExp])[] = [
    ['bob', ['PING'], /NOPERM \w+ may not use redis\/cache/],
    ['eve', ['PING'], /NOPERM \w+ may not use redis\/cache/],
    ['rita', ['SET', 'a', '1'], /NOPERM \w+ may not use redis\/cache/],
    ['rita', ['EVAL', 'return 1', '0'], /NOPERM \w+ may not use redis\/cache/],
    ['rita', ['CLIENT', 'KILL', 'TYPE', 'normal'], /NOPERM \w+ may not use redis\/cache/],
    ['alice', ['MONITOR'], /NOPERM \w+ may not use redis\/cache/],
    ['alice', ['PSYNC', '?', '-1'], /NOPERM \w+ may not use redis\/cache/],
    ['alice', ['RESET'], /NOPERM RESET would log/],
  ];
  for (const [user, command, answer] of denied)
    it(`tells ${user} why ${command.join(' ')} is denied`, async () => {
      assert.match(await site.cli(as(user), command), answer);
    });

  it('does not become somebody else in the middle of a session', async () => {
    const printed = await site.cli(as('alice'), [], 'PING\nAUTH default x\nACL WHOAMI\n');
    assert.match(printed, /^PONG\nNOPERM this session is app[^\n]*\n+app\n/);
  });

  it('refuses a client without a certificate in words', async () => {
    assert.match(await site.cli(undefined, ['PING']), /NOAUTH no certificate was presented; run psh login/);
  });

  it('answers denied and allowed commands of one pipeline in their order', async () => {
    const printed = await site.cli(as('rita'), [], 'SET x 1\nPING\nDEL x\nECHO done\n');
    const lines = printed
      .trim()
      .split('\n')
      .filter((line) => line !== '');
    assert.deepEqual(
      lines.map((line) => line.slice(0, 6)),
      ['NOPERM', 'PONG', 'NOPERM', 'done'],
    );
  });

  it('discards a transaction in which a command was denied', async () => {
    const printed = await site.cli(as('rita'), [], 'MULTI\nGET a\nSET a 1\nEXEC\n');
    assert.match(printed, /OK\nQUEUED\nNOPERM[^\n]*\n\n?EXECABORT/);
  });

  it('carries 20,000 piped commands and a value of 20 MB unchanged', async () => {
    const commands = Array.from({ length: 20_000 }, (_, index) => `SET key:${index} ${index}\r\n`).join('');
    assert.match(await site.cli(as('alice'), ['--pipe'], commands), /errors: 0, replies: 20000/);
    const client = new Redis({ port: site.cluster.port, tls: tlsFor('alice'), lazyConnect: true, retryStrategy: null });
    await client.connect();
    const value = Buffer.alloc(20_000_000, 'abcdefg');
    await client.set('large', value);
    assert.ok((await client.getBuffer('large'))?.equals(value));
    assert.equal(await client.get('key:19999'), '19999');
    client.disconnect();
  });

  it('serves ioredis: pipelines, transactions, scripts, and messages', async () => {
    const options = { port: site.cluster.port, tls: tlsFor('alice'), lazyConnect: true, retryStrategy: null };
    const [client, listener] = [new Redis(options), new Redis(options)];
    await Promise.all([client.connect(), listener.connect()]);
    const received = once(listener, 'message');
    await listener.subscribe('news');
    assert.equal(await client.publish('news', 'hello'), 1);
    assert.deepEqual(await received, ['news', 'hello']);
    assert.deepEqual(await client.multi().set('n', '1').incr('n').exec(), [[null, 'OK'], [null, 2]]); // prettier-ignore
    assert.equal(await client.eval('return ARGV[1]', 0, 'x'), 'x');
    for (const one of [client, listener]) one.disconnect();
  });

  for (const RESP of [2, 3] as const)
    it(`serves node-redis with RESP${RESP}`, async () => {
      const socket = {
        host: '127.0.0.1',
        port: site.cluster.port,
        tls: true,
        ...tlsFor('alice'),
        reconnectStrategy: false,
      } as const;
      const client = createClient({ RESP, username: 'app', password: 'anything', socket });
      client.on('error', () => {});
      await client.connect();
      await client.hSet('hash', { a: '1', b: '2' });
      assert.deepEqual({ ...(await client.hGetAll('hash')) }, { a: '1', b: '2' });
      await assert.rejects(client.sendCommand(['MONITOR']), /NOPERM \w+ may not use redis\/cache/);
      assert.equal(await client.ping(), 'PONG');
      client.destroy();
    });

  it('shows everybody’s commands to those who have that right', async () => {
    const monitor = await running('mona', ['MONITOR'], /OK/);
    await site.cli(as('alice'), ['SET', 'seen', 'by-mona']);
    await until(() => monitor.printed().includes('by-mona'));
    monitor.child.kill();
    await monitor.closed;
  });

  it('is cut by a lock while it waits, and says why', async () => {
    const waiting = await running('alice', ['SUBSCRIBE', 'nothing'], /subscribe/);
    const lock = await site.cluster.admin.call(createLock, { target: { user: 'alice' }, message: 'on leave' });
    await waiting.closed;
    assert.match(waiting.printed(), /NOPERM .*on leave/);
    assert.match(await site.cli(as('alice'), ['PING']), /NOPERM .*on leave/);
    await site.cluster.admin.call(deleteLock, { id: lock.id });
    await site.cluster.seen();
  });

  it('leaves an event for each command, without any password, and a recording', async () => {
    await site.cli(as('mona'), [], 'SET who mona\nAUTH app sesame\nCONFIG SET requirepass ""\n');
    const theirs = async () =>
      (await site.cluster.events({ types: ['redis.command'], user: 'mona' })).filter(
        ({ fields }) => fields['command'] !== 'monitor' && fields['command'] !== 'command|docs',
      );
    await until(async () => (await theirs()).length >= 3);
    const events = await theirs();
    assert.deepEqual(
      events.map(({ fields }) => [fields['command'], fields['class'], fields['arguments']]),
      [
        ['set', 'write', ['who', 'mona']],
        ['auth', 'connection', ['[masked]', '[masked]']],
        ['config|set', 'admin', ['requirepass', '[masked]']],
      ],
    );
    const text = JSON.stringify(await site.cluster.events({}));
    for (const secret of ['pencil', 'sesame', 'anything']) assert.ok(!text.includes(secret), secret);
    await site.cluster.event({ session: events[0]?.session ?? '', types: ['recording.completed'] });
  });
});
