import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { randomBytes } from 'node:crypto';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { needProgram, type Loopback } from '@postern/plugin-sdk/testing';
import { echoServer } from './support/echo.js';
import { fixture } from './support/fixture.js';
import { clientEnv, run } from './support/openssh.js';
import { until } from './support/until.js';

const bulk = randomBytes(3_000_000);

/** Sends everything, ends, and reads to the end. */
async function exchange(port: number, data: Buffer): Promise<Buffer> {
  const socket = connect({ host: '127.0.0.1', port, allowHalfOpen: true });
  await once(socket, 'connect');
  socket.end(data);
  const parts: Buffer[] = [];
  for await (const part of socket) parts.push(part as Buffer);
  return Buffer.concat(parts);
}

const reachable = (port: number): Promise<boolean> =>
  new Promise((resolve) => {
    const socket = connect({ host: '127.0.0.1', port });
    socket.once('connect', () => resolve(true)).once('error', () => resolve(false));
    socket.once('connect', () => socket.destroy());
  });

async function freePort(): Promise<number> {
  const server = await echoServer();
  await server.close();
  return server.port;
}

describe('forwarding', function () {
  this.timeout(30_000);
  const at = fixture();
  let echo: Loopback;

  before(async () => (echo = await echoServer()));
  after(() => echo.close());

  it('carries connections of the client to a destination, with half-close', async () => {
    const local = await freePort();
    const target = `127.0.0.1:${echo.port}`;
    const child = at.client.start(
      at.login.name,
      [],
      ['-N', '-L', `${local}:${target}`, '-o', 'ExitOnForwardFailure=yes'],
    );
    await until('the client listens', () => reachable(local));
    assert.deepEqual(await exchange(local, Buffer.from('one')), Buffer.from('one'));
    assert.ok((await exchange(local, bulk)).equals(bulk));
    const ended = once(child, 'close');
    child.kill();
    await ended;
    await at.node.idle();
    const forwards = at.node.host.events.filter(({ type }) => type === 'ssh.forward');
    assert.deepEqual(forwards.at(-1)?.fields, { number: forwards.length, host: '127.0.0.1', port: echo.port });
    const ends = at.node.host.events.filter(({ type }) => type === 'ssh.forward_end').map(({ fields }) => fields);
    assert.ok(ends.some(({ sent, received }) => sent === bulk.length && received === bulk.length));
  });

  it('carries a SOCKS client', async () => {
    const local = await freePort();
    const child = at.client.start(at.login.name, [], ['-N', '-D', String(local)]);
    await until('the client listens', () => reachable(local));
    const socket = connect({ host: '127.0.0.1', port: local });
    await once(socket, 'connect');
    socket.write(Buffer.from([5, 1, 0]));
    assert.deepEqual(await once(socket, 'data'), [Buffer.from([5, 0])]);
    socket.write(Buffer.from([5, 1, 0, 1, 127, 0, 0, 1, echo.port >> 8, echo.port & 255]));
    const [answer] = (await once(socket, 'data')) as [Buffer];
    assert.equal(answer[1], 0);
    socket.write('three');
    assert.deepEqual(await once(socket, 'data'), [Buffer.from('three')]);
    socket.destroy();
    const ended = once(child, 'close');
    child.kill();
    await ended;
  });

  it('joins standard input and output to a destination', async () => {
    const result = await at.client.ssh(at.login.name, [], { input: 'seven' }, ['-W', `127.0.0.1:${echo.port}`]);
    assert.equal(result.stdout.toString(), 'seven', result.stderr);
  });

  it('does not connect to a socket of the file system, and says so', async () => {
    const local = await freePort();
    const child = at.client.start(at.login.name, [], ['-N', '-L', `${local}:/run/no-such.sock`]);
    let said = '';
    child.stderr?.on('data', (data: Buffer) => (said += data.toString()));
    await until('the client listens', () => reachable(local));
    const socket = connect({ host: '127.0.0.1', port: local });
    await once(socket.resume(), 'close');
    await until('it is said', () => /open failed: administratively prohibited: sockets of the file system/.test(said));
    const ended = once(child, 'close');
    child.kill();
    await ended;
  });

  it('does not listen on a socket of the file system', async () => {
    const path = join(tmpdir(), `postern-${process.pid}.sock`);
    const forward = `${path}:127.0.0.1:${echo.port}`;
    const result = await at.client.ssh(at.login.name, ['true'], {}, ['-R', forward, '-o', 'ExitOnForwardFailure=yes']);
    assert.equal(result.code, 255);
    assert.match(result.stderr, /remote port forwarding failed for listen path/);
    assert.equal(existsSync(path), false);
  });

  it('says why a destination cannot be reached', async () => {
    const result = await at.client.ssh(at.login.name, [], {}, ['-W', `127.0.0.1:${await freePort()}`]);
    assert.notEqual(result.code, 0);
    assert.match(result.stderr, /connect failed: upstream unreachable/);
  });

  for (const host of ['127.1', '0x7f000001', '2130706433', 'a b', '::ffff:999.1.1.1'])
    it(`refuses ${JSON.stringify(host)}, which a resolver might take for an address that no role names`, async () => {
      const before = at.node.hosts.flatMap(({ asks }) => asks).length;
      const result = await at.client.ssh(at.login.name, [], {}, ['-W', `[${host}]:${echo.port}`]);
      assert.notEqual(result.code, 0);
      const asked = at.node.hosts.flatMap(({ asks }) => asks).slice(before);
      assert.ok(asked.every(({ action }) => action === undefined));
    });

  it('listens for the client and carries what comes, with half-close', async () => {
    const remote = await freePort();
    const forward = `${remote}:127.0.0.1:${echo.port}`;
    const child = at.client.start(at.login.name, [], ['-N', '-R', forward, '-o', 'ExitOnForwardFailure=yes']);
    await until('the node listens', () => reachable(remote));
    assert.deepEqual(await exchange(remote, Buffer.from('two')), Buffer.from('two'));
    assert.ok((await exchange(remote, bulk)).equals(bulk));
    const ended = once(child, 'close');
    child.kill();
    await ended;
    await until('the node no longer listens', async () => !(await reachable(remote)));
    assert.ok(at.node.events('ssh.reverse_forward').some(({ fields }) => fields['port'] === remote));
    assert.ok(at.node.events('ssh.reverse_connection').some(({ fields }) => fields['port'] === remote));
  });

  it('chooses a port when the client leaves it to the node', async () => {
    const child = at.client.start(at.login.name, [], ['-N', '-R', `0:127.0.0.1:${echo.port}`]);
    let said = '';
    child.stderr?.on('data', (data: Buffer) => (said += data.toString()));
    await until('the port is said', () => /Allocated port \d+/.test(said));
    const port = Number(/Allocated port (\d+)/.exec(said)?.[1]);
    assert.deepEqual(await exchange(port, Buffer.from('six')), Buffer.from('six'));
    const ended = once(child, 'close');
    child.kill();
    await ended;
  });

  it('stops listening when the client says so, and goes on serving it', async () => {
    const remote = await freePort();
    const control = join(mkdtempSync(join(tmpdir(), 'postern-ssh-')), 'cm');
    const share = ['-o', `ControlPath=${control}`];
    await at.client.ssh(at.login.name, [], {}, ['-fNM', ...share]);
    const forward = ['-R', `${remote}:127.0.0.1:${echo.port}`];
    assert.equal((await at.client.ssh(at.login.name, [], {}, ['-O', 'forward', ...forward, ...share])).code, 0);
    assert.ok(await reachable(remote));
    await at.client.ssh(at.login.name, [], {}, ['-O', 'cancel', ...forward, ...share]);
    await until('the node no longer listens', async () => !(await reachable(remote)));
    await at.client.ssh(at.login.name, [], {}, ['-O', 'exit', ...share]);
    await at.node.idle();
    rmSync(join(control, '..'), { recursive: true });
  });

  it('listens on loopback only, and not on the ports of root', async () => {
    for (const forward of [`0.0.0.0:${await freePort()}`, '127.0.0.1:80']) {
      const options = ['-N', '-R', `${forward}:127.0.0.1:${echo.port}`, '-o', 'ExitOnForwardFailure=yes'];
      const result = await at.client.ssh(at.login.name, [], {}, options);
      assert.notEqual(result.code, 0);
      assert.match(result.stderr, /remote port forwarding failed/);
    }
    const reasons = at.node.events('ssh.channel_refused').map(({ fields }) => fields['reason']);
    assert.ok(reasons.includes('port 80 is for root only'));
  });

  it('does not forward sockets of the file system', async () => {
    const result = await at.client.ssh(at.login.name, [], {}, [
      '-N',
      '-R',
      `/tmp/x.sock:127.0.0.1:${echo.port}`,
      '-o',
      'ExitOnForwardFailure=yes',
    ]);
    assert.match(result.stderr, /remote port forwarding failed/);
  });

  it("lets the login's programs use the client's ssh-agent, and nobody else", async () => {
    const directory = mkdtempSync(join(tmpdir(), 'postern-ssh-agent-'));
    const socket = join(directory, 'agent');
    const agent = await run('ssh-agent', ['-a', socket], {});
    const pid = Number(/SSH_AGENT_PID=(\d+)/.exec(agent.stdout.toString())?.[1]);
    try {
      const key = at.authority.user({ principals: ['x'], type: 'rsa' });
      await run('ssh-add', ['-q', key], { env: { SSH_AUTH_SOCK: socket } });
      const more = ['-o', `IdentityAgent=${socket}`, '-A'];
      const command = 'ssh-add -l; stat -c "%a %U" $SSH_AUTH_SOCK $(dirname $SSH_AUTH_SOCK); echo $SSH_AUTH_SOCK';
      const result = await at.client.ssh(at.login.name, [command], {}, more);
      const lines = result.stdout.toString().trim().split('\n');
      assert.match(lines[0] ?? '', /2048 SHA256/);
      assert.equal(lines.at(-3), `600 ${at.login.name}`);
      if (at.login.uid !== process.getuid?.()) assert.equal(lines.at(-2), '711 root');
      const sign =
        'ssh-add -L | head -1 > $HOME/p.pub; echo x | ssh-keygen -Y sign -q -n t -f $HOME/p.pub; rm $HOME/p.pub';
      assert.match(
        (await at.client.ssh(at.login.name, [sign], {}, more)).stdout.toString(),
        /^-----BEGIN SSH SIGNATURE/,
      );
      await at.node.idle();
      assert.notEqual((await run('test', ['-e', lines.at(-1) ?? ''], {})).code, 0, 'the socket was left behind');
    } finally {
      process.kill(pid);
      rmSync(directory, { recursive: true });
    }
  });

  it("shows programs on the client's screen", async function () {
    needProgram(this, 'xdpyinfo', 'x11-utils');
    const display = 77;
    const options = [`:${display}`, '-noreset', '-nolisten', 'tcp', '-screen', '0', '640x480x8'];
    const server = execFile(needProgram(this, 'Xvfb', 'xvfb'), options);
    await until('the screen is there', () => existsSync(`/tmp/.X11-unix/X${display}`));
    try {
      const env = { ...clientEnv, DISPLAY: `:${display}` };
      const result = await at.client.ssh(at.login.name, ['xdpyinfo | grep dimensions; echo $DISPLAY'], { env }, ['-Y']);
      assert.match(result.stdout.toString(), /640x480 pixels/, result.stderr);
      assert.match(result.stdout.toString(), /localhost:1\d\.0/);
    } finally {
      const closed = once(server, 'close');
      server.kill();
      await closed;
    }
  });
});
