import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fixture } from './support/fixture.js';
import { TestNode } from './support/node.js';
import { OpenSsh } from './support/openssh.js';
import { openDescriptors, processesWith, uniqueSeconds } from './support/processes.js';
import { TypedTerminal } from './support/terminal.js';
import { until } from './support/until.js';

const locked = { code: 'locked', message: 'alice is locked: ask the administrator' } as const;
const full = process.env['POSTERN_TEST_FULL'] === '1';

describe('the end of a session', function () {
  this.timeout(60_000);
  const at = fixture(undefined, { config: { hang_up_seconds: 1 } });

  for (const more of [[], ['-tt']]) {
    const kind = more.length > 0 ? 'with a terminal' : 'without a terminal';

    it(`hangs up on a program ${kind} when the client goes away`, async () => {
      const seconds = uniqueSeconds();
      const child = at.client.start(at.login.name, [`sleep ${seconds}`], more);
      await until('the program runs', () => processesWith(seconds).length > 0);
      const closed = once(child, 'close');
      child.kill('SIGKILL');
      await closed;
      await until('the program has ended', () => processesWith(seconds).length === 0);
      await at.node.idle();
      assert.deepEqual(at.node.host.events.find(({ type }) => type === 'ssh.exit')?.fields, {
        channel: 0,
        signal: 'SIGHUP',
      });
    });

    it(`kills a program ${kind} that does not care about a hang-up`, async () => {
      const seconds = uniqueSeconds();
      const child = at.client.start(at.login.name, [`trap "" HUP; while :; do sleep ${seconds}; done`], more);
      await until('the program runs', () => processesWith(`sleep ${seconds}`).length > 1);
      const closed = once(child, 'close');
      child.kill('SIGKILL');
      await closed;
      await until('the program has ended', () => processesWith(seconds).length === 0);
      await at.node.idle();
    });

    it(`comes with the reason for a program ${kind} when the session is cut`, async () => {
      const seconds = uniqueSeconds();
      const done = at.client.ssh(at.login.name, [`trap "" HUP; echo on; sleep ${seconds}; sleep ${seconds}`], {}, more);
      await until('the program runs', () => processesWith(seconds).length > 0);
      const cut = performance.now();
      at.node.host.cut(locked);
      const result = await done;
      assert.ok(performance.now() - cut < 2_000);
      assert.match(result.stderr, /^\r\npostern: alice is locked: ask the administrator\r\n/);
      assert.match(result.stderr, /Received disconnect from .*:11: postern: alice is locked/);
      assert.equal(result.code, 255);
      assert.deepEqual(processesWith(seconds), []);
      await at.node.idle();
      assert.equal(at.node.host.events.at(-1)?.fields['outcome'], 'cut');
    });
  }

  it('is shown in an interactive terminal', async () => {
    const terminal = TypedTerminal.open(at.client, at.login.name, []);
    await terminal.shows(/\$ /);
    at.node.host.cut(locked);
    await terminal.shows(/postern: alice is locked: ask the administrator\r\n/);
    assert.equal(await terminal.exit, 255);
    await at.node.idle();
  });

  it('is shown by clients that share a connection', async () => {
    const directory = mkdtempSync(join(tmpdir(), 'postern-ssh-cut-'));
    const share = ['-o', `ControlPath=${directory}/cm`];
    await at.client.ssh(at.login.name, [], {}, ['-fNM', ...share]);
    const seconds = uniqueSeconds();
    const done = at.client.ssh(at.login.name, [`sleep ${seconds}`], {}, share);
    await until('the program runs', () => processesWith(seconds).length > 0);
    at.node.host.cut(locked);
    assert.match((await done).stderr, /postern: alice is locked: ask the administrator\r\n/);
    await at.node.idle();
    rmSync(directory, { recursive: true });
  });

  it('reaches the jobs that an interactive shell has started', async () => {
    const seconds = uniqueSeconds();
    const terminal = TypedTerminal.open(at.client, at.login.name, []);
    await terminal.shows(/\$ /);
    terminal.type(`sleep ${seconds} &\r`);
    await until('the job runs', () => processesWith(`sleep ${seconds}`).length === 1);
    at.node.host.cut(locked);
    await terminal.exit;
    await until('the job has ended', () => processesWith(`sleep ${seconds}`).length === 0);
    await at.node.idle();
  });

  const leaving = [
    ['a session of its own', 'setsid sleep SECONDS </dev/null >/dev/null 2>&1 &'],
    ['a job that ignores hang-ups', 'nohup sleep SECONDS </dev/null >/dev/null 2>&1 &'],
    ['a daemon that nobody is the parent of', '(setsid sh -c "(sleep SECONDS; :) & :" </dev/null >/dev/null 2>&1 &)'],
    [
      'a daemon that ignores what it is told',
      `(setsid sh -c 'trap "" HUP TERM; while :; do sleep SECONDS; done' </dev/null >/dev/null 2>&1 &)`,
    ],
  ] as const;
  for (const [name, command] of leaving)
    it(`reaches ${name}`, async () => {
      const seconds = uniqueSeconds();
      const script = command.replaceAll('SECONDS', seconds);
      const result = await at.client.ssh(at.login.name, [
        `${script}\nuntil pgrep -f "slee[p] ${seconds}" >/dev/null; do sleep 0.05; done`,
      ]);
      assert.equal(result.code, 0, result.stderr);
      await at.node.idle();
      assert.deepEqual(processesWith(`sleep ${seconds}`), []);
      const ended = at.node.host.events.find(({ type }) => type === 'ssh.left_running');
      assert.ok(Number(ended?.fields['processes']) >= 1, JSON.stringify(ended));
    });

  it('does not reach what other sessions of the same user have started', async () => {
    const [mine, theirs] = [uniqueSeconds(), uniqueSeconds()];
    const other = at.client.start(at.login.name, [`setsid sleep ${theirs} & sleep ${theirs}`]);
    await until('the other runs', () => processesWith(`sleep ${theirs}`).length > 1);
    const before = processesWith(`sleep ${theirs}`);
    const host = at.node.hosts.length;
    await at.client.ssh(at.login.name, [`setsid sleep ${mine} </dev/null >/dev/null 2>&1 &`]);
    await until('it has ended', () => at.node.hosts[host]?.events.some(({ type }) => type === 'session.end') === true);
    assert.deepEqual([processesWith(`sleep ${mine}`), processesWith(`sleep ${theirs}`)], [[], before]);
    const closed = once(other, 'close');
    other.kill('SIGKILL');
    await closed;
    await at.node.idle();
    assert.deepEqual(processesWith(`sleep ${theirs}`), []);
  });

  it('leaves running what it finds where the node is told so', async () => {
    const seconds = uniqueSeconds();
    const node = await TestNode.start(at.authority, { allow: { logins: [at.login.name] }, config: { linger: true } });
    try {
      const client = new OpenSsh(at.authority, node.port, at.authority.user({ principals: [at.login.name] }));
      await client.ssh(at.login.name, [`setsid sleep ${seconds} </dev/null >/dev/null 2>&1 &`]);
      await node.idle();
      await until('it runs', () => processesWith(`sleep ${seconds}`).length > 0);
    } finally {
      for (const pid of processesWith(`sleep ${seconds}`)) process.kill(pid);
      await node.close();
    }
  });

  it('closes forwarded connections and listeners', async () => {
    const child = at.client.start(at.login.name, [], ['-N', '-R', '0:127.0.0.1:9']);
    await until('the node listens', () => at.node.host.events.some(({ type }) => type === 'ssh.reverse_forward'));
    at.node.host.cut(locked);
    await once(child, 'close');
    await at.node.idle();
  });

  it('leaves nothing behind, however abruptly it comes', async () => {
    const seconds = uniqueSeconds();
    const abrupt = async (index: number): Promise<void> => {
      const command = [`sleep ${seconds} & cat /dev/zero`, `sleep ${seconds}`, 'cat > /dev/null'][index % 3] ?? '';
      const child = at.client.start(at.login.name, [command], index % 2 === 0 ? ['-tt'] : []);
      child.stdin?.write(Buffer.alloc(200_000));
      child.stdout?.once('data', () => {}).resume();
      // In the middle of the key exchange, after the login, or with the program running.
      const before = at.node.hosts.length;
      await until('it is there', () => at.node.hosts.slice(before).some(({ events }) => events.length >= index % 3));
      const closed = once(child, 'close');
      child.kill('SIGKILL');
      await closed;
    };
    await abrupt(1);
    await at.node.idle();
    const before = openDescriptors();
    const rounds = full ? 350 : 50;
    for (let index = 0; index < rounds; index += 5)
      await Promise.all([0, 1, 2, 3, 4].map((offset) => abrupt(index + offset)));
    await at.node.idle();
    await until('the programs have ended', () => processesWith(seconds).length === 0);
    await until('all is closed', () => openDescriptors() <= before);
  }).timeout(full ? 300_000 : 60_000);
});
