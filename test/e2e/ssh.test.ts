import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { userInfo } from 'node:os';
import { join } from 'node:path';
import { needProgram } from '@postern/plugin-sdk/testing';
import { build, homeFile, run, TestCluster, type Result } from '../../config/test/support/programs.js';

const password = 'correct horse battery staple';
const login = userInfo().username;

describe('ssh, scp and sftp after psh login', function () {
  this.timeout(60_000);
  let cluster: TestCluster;
  let node: string;
  let files: string;

  before(async function () {
    for (const program of ['ssh', 'scp', 'sftp']) needProgram(this, program, 'openssh-client');
    await build();
    cluster = await TestCluster.start();
    files = join(cluster.directory, 'files');
    await mkdir(files);
    await mkdir(join(cluster.home, '.ssh'));
    await writeFile(join(cluster.home, '.ssh/config'), '# mine\n');
    await cluster.user('alice', password, [`--trait=logins=${login}`]);
    const { code, stderr } = await cluster.login('alice', [password]);
    assert.equal(code, 0, stderr);
    const { stdout } = await cluster.psh(['ls', 'ssh', '--format=json']);
    node = (JSON.parse(stdout) as { name: string }[])[0]?.name ?? '';
    assert.notEqual(node, '');
  });
  after(() => (cluster as TestCluster | undefined)?.[Symbol.asyncDispose]());

  /** The programs of OpenSSH take the home directory from the account, so that they are told of the file. */
  const options = (): string[] => ['-F', join(cluster.home, '.ssh/config'), '-o', 'ControlMaster=no'];
  const stock = (program: string, args: readonly string[], input?: string): Promise<Result> =>
    run(program, [...options(), ...args], { cwd: files, env: cluster.env, ...(input !== undefined && { input }) });

  const events = async (
    type: string,
  ): Promise<{ type: string; session?: string; fields: Record<string, unknown> }[]> => {
    const { stdout } = await cluster.postern(['audit', 'search', `--type=${type}`, '--format=json']);
    return JSON.parse(stdout) as { type: string; session?: string; fields: Record<string, unknown> }[];
  };

  it('copies a file there and back by scp, unchanged', async () => {
    const content = Array.from({ length: 20_000 }, (_, at) => `${at}\n`).join('');
    await writeFile(join(files, 'mine'), content);
    const there = await stock('scp', ['-q', 'mine', `${login}@${node}:${files}/there`]);
    assert.equal(there.code, 0, there.stderr);
    const back = await stock('scp', ['-q', `${login}@${node}:${files}/there`, 'back']);
    assert.equal(back.code, 0, back.stderr);
    assert.equal(await readFile(join(files, 'back'), 'utf8'), content);
    const opened = (await events('ssh.sftp')).map(({ fields }) => fields['path']);
    assert.ok(opened.includes(join(files, 'there')), JSON.stringify(opened));
  });

  it('renames and removes by sftp', async () => {
    await writeFile(join(files, 'old'), 'text');
    const batch = `rename ${files}/old ${files}/new\nget ${files}/new got\nrm ${files}/new\n`;
    const { code, stderr } = await stock('sftp', ['-q', '-b', '-', `${login}@${node}`], batch);
    assert.equal(code, 0, stderr);
    assert.equal(await readFile(join(files, 'got'), 'utf8'), 'text');
    const names = await readdir(files);
    assert.ok(!names.includes('old') && !names.includes('new'));
  });

  it('is denied a login that no role allows, is told why, and it is in the log', async () => {
    const { code, stdout, stderr } = await stock('ssh', [`nobody@${node}`, 'echo in']);
    assert.deepEqual([code, stdout], [255, '']);
    assert.match(stderr, /postern: \S.{10,}/);
    const [denied, ...more] = await events('session.denied');
    assert.deepEqual([denied?.fields['code'], more], ['access_denied', []]);
  });

  it('has a terminal, whose recording psh and scriptreplay play', async function () {
    needProgram(this, 'expect', 'expect');
    needProgram(this, 'scriptreplay', 'bsdutils');
    const script = [
      'set timeout 20',
      `spawn ssh ${[...options(), `${login}@${node}`].join(' ')}`,
      String.raw`send "PS1='ready> '; stty -echo\r"; expect "ready> "`,
      String.raw`send "test -t 0 && echo sum-\$((40+2))\r"; expect "sum-42"`,
      String.raw`send "exit 3\r"; expect eof`,
      'exit [lindex [wait] 3]',
    ].join('\n');
    const { code, stdout, stderr } = await run('expect', ['-c', script], { cwd: files, env: cluster.env });
    assert.equal(code, 3, stdout + stderr);
    const listed = await cluster.psh(['recordings', 'ls', '--format=json']);
    const recordings = JSON.parse(listed.stdout) as { session: string; format: string }[];
    const session = recordings.find(({ format }) => format === 'terminal')?.session ?? '';
    const played = await cluster.psh(['play', session, '--speed=100']);
    assert.match(played.stdout, /sum-42/, played.stderr);
    const { stdout: cast } = await cluster.psh(['recordings', 'export', session]);
    const outputs = cast
      .trimEnd()
      .split('\n')
      .slice(1)
      .map((line) => JSON.parse(line) as [number, string, string])
      .filter(([, kind]) => kind === 'o');
    // As script(1) writes them: seconds since the one before, and how many bytes; the text has a head line.
    let before = 0;
    const timing = outputs.map(([at, , text]) => {
      const line = `${(at - before).toFixed(6)} ${Buffer.byteLength(text)}\n`;
      before = at;
      return line;
    });
    await writeFile(join(files, 'timing'), timing.join(''));
    await writeFile(join(files, 'typescript'), `Script started\n${outputs.map(([, , text]) => text).join('')}`);
    const replay = await run('scriptreplay', ['-d', '100', 'timing', 'typescript'], { cwd: files, env: cluster.env });
    assert.equal(replay.code, 0, replay.stderr);
    assert.match(replay.stdout, /sum-42/);
  });

  it('loses a live session to a lock within two seconds, and is told why', async () => {
    const child = spawn('ssh', [...options(), `${login}@${node}`, 'echo here; sleep 60'], {
      env: cluster.env,
      stdio: 'pipe',
    });
    let told = '';
    child.stderr.on('data', (text) => (told += String(text)));
    const closed = once(child, 'close') as Promise<[number]>;
    await once(child.stdout, 'data');
    const added = cluster.postern(['lock', 'add', '--user=alice', '--message=laptop lost']);
    const { code, stderr } = await added;
    const from = performance.now();
    assert.equal(code, 0, stderr);
    const [status] = await closed;
    assert.ok(performance.now() - from < 2000);
    assert.equal(status, 255);
    assert.match(told, /laptop lost/);
    const again = await stock('ssh', [`${login}@${node}`, 'echo in']);
    assert.equal(again.stdout, '');
    const listed = await cluster.postern(['lock', 'ls', '--format=json']);
    const [lock] = JSON.parse(listed.stdout) as { id: string }[];
    assert.equal((await cluster.postern(['lock', 'rm', lock?.id ?? ''])).code, 0);
  });

  it('leaves a log that can be searched and verifies', async () => {
    const { code, stderr } = await stock('ssh', [`${login}@${node}`, 'true a-word-for-the-log']);
    assert.equal(code, 0, stderr);
    const { stdout } = await cluster.postern(['audit', 'search', '--text=a-word-for-the-log', '--format=json']);
    const found = JSON.parse(stdout) as { type: string; user: string }[];
    assert.deepEqual(
      found.map(({ type, user }) => [type, user]),
      [['ssh.exec', 'alice']],
    );
    const verified = await cluster.postern(['audit', 'verify', '--format=json']);
    assert.equal(verified.code, 0, verified.stderr);
    assert.equal((JSON.parse(verified.stdout) as { ok: boolean }).ok, true);
  });

  it('logs out, and all that login wrote is gone, and nothing else', async () => {
    assert.match(await homeFile(cluster, '.ssh/config'), /postern begin/);
    const { code, stderr } = await cluster.psh(['logout']);
    assert.equal(code, 0, stderr);
    assert.equal(await homeFile(cluster, '.ssh/config'), '# mine\n');
    const left = await readdir(cluster.home, { recursive: true, withFileTypes: true });
    assert.deepEqual(
      left.filter((entry) => !entry.isDirectory()).map(({ parentPath, name }) => join(parentPath, name)),
      [join(cluster.home, '.ssh/config')],
    );
    assert.notEqual((await stock('ssh', ['-o', 'BatchMode=yes', `${login}@${node}`, 'echo in'])).code, 0);
  });
});
