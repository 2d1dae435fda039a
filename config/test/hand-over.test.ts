import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { binary, build, run, TestCluster } from './support/programs.js';
import { userInfo } from 'node:os';

const password = 'correct horse battery staple';

describe('a connection that is handed over', function () {
  this.timeout(60_000);
  let cluster: TestCluster;
  let node = '';

  before(async () => {
    await build();
    cluster = await TestCluster.start();
    await cluster.user('alice', password, [`--trait=logins=${userInfo().username}`]);
    await cluster.login('alice', [password]);
    const { stdout } = await cluster.psh(['ls', 'ssh', '--format=json']);
    node = (JSON.parse(stdout) as { readonly name: string }[])[0]?.name ?? '';
  });

  after(() => cluster[Symbol.asyncDispose]());

  /** What comes first, for a client that speaks first or waits. Its pipes are sockets, as Node makes them. */
  async function firstBytes(says: string): Promise<string> {
    const args = [binary('psh'), 'proxy', 'ssh', node, '--stdio', '--hand-over'];
    const child = spawn(process.execPath, args, { env: cluster.env, stdio: ['pipe', 'pipe', 'inherit'] });
    const closed = once(child, 'close');
    child.stdin.on('error', () => {});
    if (says !== '') child.stdin.write(says);
    const [data] = (await once(child.stdout, 'data')) as [Buffer];
    child.stdin.destroy();
    child.kill();
    await closed;
    return data.toString('latin1');
  }

  /** The stock client with the configuration that was written for it. */
  async function ssh(command: string, more: readonly string[] = [], env: NodeJS.ProcessEnv = {}): Promise<string> {
    const config = join(cluster.home, '.ssh/config');
    const options = ['-F', config, '-o', 'ControlMaster=no', '-o', 'ControlPath=none', ...more];
    const { stdout } = await run('ssh', [...options, `${userInfo().username}@${node}`, command], {
      cwd: '/',
      env: { PATH: process.env['PATH'], HOME: cluster.home, ...env },
    });
    return stdout;
  }

  /** The lines of processes that are between ssh and the node, which is on the same machine. */
  const countBetween =
    'for p in /proc/[0-9]*; do tr "\\0" " " < $p/cmdline 2>/dev/null; echo; done | grep -c -e "--stdio --[h]and-over"';

  it('leaves nothing between ssh and the node', async () => {
    // The only program of this connection that is left is ssh itself.
    assert.equal(await ssh(countBetween), '0\n');
  });

  it('is handed over in the documented way where the quick one is missing or fails', async () => {
    const without = [
      `require('node:child_process')._forkChild = undefined;`,
      `require('node:child_process')._forkChild = () => { throw new Error('changed'); };`,
      `require('node:child_process')._forkChild = () => {};`,
    ];
    for (const [index, text] of without.entries()) {
      const file = join(cluster.home, `without-${index}.cjs`);
      await writeFile(file, text);
      assert.equal(await ssh(countBetween, [], { NODE_OPTIONS: `--require=${file}` }), '0\n', text);
    }
  });

  it('is a stream where ssh is told to want one', async () => {
    assert.match(await ssh(`cat; ${countBetween}`, ['-o', 'ProxyUseFdpass=no', '-n']), /^[1-9]\n$/);
  });

  it('is a stream for a client that speaks at once, as others than OpenSSH do', async () => {
    assert.match(await firstBytes('SSH-2.0-other\r\n'), /^SSH-2\.0-/);
  });

  it('is a message with a descriptor for one that waits', async () => {
    assert.match(await firstBytes(''), /^\{/);
  });

  it('is a stream where output is no socket', async () => {
    const command = `exec "${process.execPath}" "${binary('psh')}" proxy ssh ${node} --stdio --hand-over </dev/null | head -c 7`;
    const { stdout } = await run('sh', ['-c', command], { cwd: '/', env: cluster.env });
    assert.equal(stdout, 'SSH-2.0');
  });

  const expired = '2020-01-01T00:00:00.000Z';
  const absent: readonly { name: string; data?: string; text: RegExp }[] = [
    {
      name: 'the certificate has expired',
      data: expired,
      text: /psh: your certificate expired at 2020.*log in again: psh login/,
    },
    { name: 'nobody is logged in', text: /psh: not logged in.*run: psh login/ },
  ];
  for (const { name, data, text } of absent)
    it(`says that ${name}, and what to do, under BatchMode too`, async () => {
      const file = join(cluster.home, '.psh/postern.localhost/profile.json');
      const before = await readFile(file, 'utf8');
      const profile = JSON.parse(before) as object;
      try {
        if (data === undefined) await rm(file);
        else await writeFile(file, JSON.stringify({ ...profile, expires: data }));
        const options = ['-F', join(cluster.home, '.ssh/config'), '-o', 'BatchMode=yes', '-o', 'ControlPath=none'];
        const { code, stderr } = await run('ssh', [...options, `${userInfo().username}@${node}`, 'true'], {
          cwd: '/',
          env: { PATH: process.env['PATH'], HOME: cluster.home },
        });
        assert.equal(code, 255);
        assert.match(stderr, text);
      } finally {
        await writeFile(file, before);
      }
    });

  it('says why there is none, and ends', async () => {
    const args = ['proxy', 'ssh', 'nowhere', '--stdio', '--hand-over'];
    const { code, stderr } = await cluster.psh(args);
    assert.equal(code, 1);
    assert.match(stderr, /the proxy refused nowhere\.ssh\.postern\.localhost/);
  });
});
