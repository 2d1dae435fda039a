import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { needProgram } from '@postern/plugin-sdk/testing';
import { fixture } from './support/fixture.js';
import { TypedTerminal } from './support/terminal.js';
import { run } from './support/openssh.js';

const binary = randomBytes(3_000_000);

const lines = (from: number, to: number): string =>
  Array.from({ length: to - from + 1 }, (_, index) => `${from + index}\n`).join('');

interface Check {
  readonly name: string;
  readonly more?: readonly string[];
  readonly command: string;
  readonly input?: Buffer | string;
  readonly env?: Readonly<Record<string, string>>;
  readonly stdout?: string | RegExp | Buffer;
  readonly stderr?: string | RegExp;
  readonly code?: number;
}

const commands: readonly Check[] = [
  { name: 'runs a command', command: 'echo hi', stdout: 'hi\n' },
  { name: 'passes the exit status on', command: 'exit 42', code: 42 },
  { name: 'reports a signal', command: 'kill -TERM $$', code: 255 },
  { name: 'reports a signal without a name in SSH as a shell would', command: 'kill -BUS $$', code: 135 },
  { name: 'keeps errors apart from output', command: 'echo e >&2; echo o', stdout: 'o\n', stderr: 'e\n' },
  { name: 'reads input to its end', command: 'wc -c', input: binary, stdout: '3000000\n' },
  { name: 'sends the input back unchanged', command: 'cat', input: binary, stdout: binary },
  { name: 'runs a command without input', more: ['-n'], command: 'cat; echo end', stdout: 'end\n' },
  {
    name: 'accepts the usual variables and no others',
    more: ['-o', 'SendEnv=LC_*', '-o', 'SendEnv=FOO'],
    env: { LC_TEST: 'bar', FOO: 'foo' },
    command: 'echo "$LC_TEST$FOO"',
    stdout: 'bar\n',
  },
  { name: 'opens standard streams by name', command: 'cat /dev/stdin > /dev/stderr', input: 'in', stderr: 'in' },
  { name: 'runs a script from its input', command: 'bash /dev/stdin', input: 'echo $((6*7))\n', stdout: '42\n' },
  {
    name: 'gives a command a terminal',
    more: ['-tt'],
    command: 'test -t 0 && test -t 1 && stty size && echo $TERM && test "$SSH_TTY" = "$(tty)" && echo same',
    stdout: /^24 80\r\nxterm\r\nsame\r\n$/,
  },
  { name: 'ignores a wish for compression', more: ['-C'], command: 'echo z', stdout: 'z\n' },
  {
    name: 'makes new keys every megabyte',
    more: ['-o', 'RekeyLimit=1M'],
    command: 'cat',
    input: binary,
    stdout: binary,
  },
  {
    name: 'answers keepalives',
    more: ['-o', 'ServerAliveInterval=1', '-o', 'ServerAliveCountMax=2'],
    command: 'sleep 2.5; echo k',
    stdout: 'k\n',
  },
  {
    name: 'waits for what still writes after the command',
    command: '(sleep 0.2; echo late) & echo now',
    stdout: 'now\nlate\n',
  },
  {
    name: 'delivers a large output and large errors at the same time, once each',
    command: '(seq 1 400000) & (seq 400001 800000 >&2); wait',
    stdout: Buffer.from(lines(1, 400_000)),
    stderr: lines(400_001, 800_000),
  },
  {
    name: 'delivers a large output with its errors',
    command: 'head -c 5000000 /dev/zero; echo end >&2',
    stderr: 'end\n',
  },
];

describe('stock OpenSSH at a node', function () {
  this.timeout(30_000);
  const at = fixture();
  let directory = '';

  before(() => {
    directory = mkdtempSync(join(tmpdir(), 'postern-ssh-matrix-'));
    chmodSync(directory, 0o777);
  });
  after(() => rmSync(directory, { recursive: true, force: true }));

  const expectText = (actual: string, wanted: string | RegExp): void =>
    typeof wanted === 'string' ? assert.equal(actual, wanted) : assert.match(actual, wanted);

  for (const check of commands)
    it(check.name, async () => {
      const { input = '', env = {}, more = [] } = check;
      const result = await at.client.ssh(at.login.name, [check.command], { input, env }, more);
      if (Buffer.isBuffer(check.stdout)) assert.ok(result.stdout.equals(check.stdout), 'the output differs');
      else if (check.stdout !== undefined) expectText(result.stdout.toString(), check.stdout);
      if (check.stderr !== undefined) expectText(result.stderr, check.stderr);
      assert.equal(result.code, check.code ?? 0, result.stderr);
    });

  it('gives an interactive shell a terminal that follows the window, and its signals', async () => {
    const terminal = TypedTerminal.open(at.client, at.login.name, []);
    await terminal.shows(/\$ /);
    terminal.type('stty size; echo $0 $TERM\r');
    await terminal.shows(/40 100\r\n-bash xterm-256color\r\n/);
    terminal.resize(132, 50);
    terminal.type('sleep 0.3; stty size\r');
    await terminal.shows(/50 132\r\n/);
    terminal.type("sh -c 'echo is on; exec sleep 100'\r");
    await terminal.shows(/\nis on\r\n|\ris on\r\n/);
    terminal.type('\x03');
    await terminal.shows(/\^C[^]*\$ /);
    terminal.type('echo int=$?; exit 9\r');
    await terminal.shows(/int=130\r\n/);
    assert.equal(await terminal.exit, 9);
  });

  it("takes the terminal's modes over from the client", async () => {
    const ssh = ['ssh', ...at.client.arguments(at.login.name, ['stty -a'], ['-t'])];
    const terminal = TypedTerminal.run('sh', ['-c', 'stty erase ^H intr ^X -echoctl; exec "$@"', 'sh', ...ssh]);
    assert.equal(await terminal.exit, 0);
    assert.match(terminal.seen, /intr = \^X;/);
    assert.match(terminal.seen, /erase = \^H;/);
    assert.match(terminal.seen, / -echoctl/);
    assert.match(terminal.seen, /\niutf8\r/);
  });

  it('transfers files by sftp', async () => {
    writeFileSync(join(directory, 'big'), binary);
    const remote = join(directory, 'remote');
    const batch = [
      `put ${directory}/big ${remote}`,
      `get ${remote} ${directory}/back`,
      `ls -l ${remote}`,
      `rename ${remote} ${remote}2`,
      `chmod 600 ${remote}2`,
      `symlink ${remote}2 ${remote}l`,
      `rm ${remote}l`,
      `df ${directory}`,
      `rm ${remote}2`,
    ];
    const result = await at.client.sftp(at.login.name, `${batch.join('\n')}\n`);
    assert.equal(result.code, 0, result.stderr);
    assert.ok(readFileSync(join(directory, 'back')).equals(binary));
  });

  for (const [mode, more] of [
    ['by sftp', []],
    ['by the old protocol', ['-O']],
  ] as const) {
    it(`copies a file with scp ${mode}`, async () => {
      const [from, there, back] = ['scp-a', 'scp-b', 'scp-c'].map((name) => join(directory, name + mode.length));
      assert.ok(from !== undefined && there !== undefined && back !== undefined);
      writeFileSync(from, binary);
      const remote = `${at.login.name}@node:${there}`;
      assert.deepEqual(await at.client.scp([from, remote], more), { code: 0, stdout: Buffer.alloc(0), stderr: '' });
      assert.equal((await at.client.scp([remote, back], more)).code, 0);
      assert.ok(readFileSync(back).equals(binary));
    });

    it(`copies a directory with scp -r ${mode}`, async () => {
      const tree = join(directory, `tree-${mode.length}`);
      mkdirSync(join(tree, 'inner'), { recursive: true });
      writeFileSync(join(tree, 'inner', 'file'), 'x');
      const there = join(directory, `there-${mode.length}`);
      const result = await at.client.scp([tree, `${at.login.name}@node:${there}`], ['-r', ...more]);
      assert.equal(result.code, 0, result.stderr);
      assert.equal(readFileSync(join(there, 'inner', 'file'), 'utf8'), 'x');
    });
  }

  it('carries rsync', async function () {
    needProgram(this, 'rsync', 'rsync');
    const tree = join(directory, 'rsync');
    mkdirSync(tree);
    writeFileSync(join(tree, 'file'), binary);
    const shell = ['ssh', ...at.client.options].map((word) => `'${word}'`).join(' ');
    const there = `${at.login.name}@node:${directory}/rsync-there/`;
    const up = await run('rsync', ['-a', '-e', shell, `${tree}/`, there], {});
    assert.equal(up.code, 0, up.stderr);
    assert.equal((await run('rsync', ['-a', '-e', shell, there, `${directory}/rsync-back/`], {})).code, 0);
    assert.ok(readFileSync(join(directory, 'rsync-back', 'file')).equals(binary));
  });

  it('serves five sessions at once over one connection', async () => {
    const control = join(directory, 'cm');
    const share = ['-o', `ControlPath=${control}`];
    const before = at.node.hosts.length;
    const master = await at.client.ssh(at.login.name, [], {}, ['-fNM', ...share]);
    assert.equal(master.code, 0, master.stderr);
    const results = await Promise.all(
      [1, 2, 3, 4, 5].map((n) => at.client.ssh(at.login.name, [`cat; echo m${n}`], { input: binary }, share)),
    );
    for (const [index, { stdout }] of results.entries())
      assert.ok(stdout.equals(Buffer.concat([binary, Buffer.from(`m${index + 1}\n`)])));
    await at.client.ssh(at.login.name, [], {}, ['-O', 'exit', ...share]);
    assert.equal(at.node.hosts.length, before + 1);
    await at.node.idle();
  });
});
