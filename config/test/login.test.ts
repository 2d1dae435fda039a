import assert from 'node:assert/strict';
import { chmod, mkdir, readdir, readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Secret, TOTP } from 'otpauth';
import { binary, build, homeFile, TestCluster } from './support/programs.js';
import { openTerminal, type Terminal } from './support/terminal.js';

const password = 'correct horse battery staple';

describe('psh login', function () {
  this.timeout(60_000);
  let cluster: TestCluster;

  before(async () => {
    await build();
    cluster = await TestCluster.start();
    await cluster.user('alice', password, ['--trait=logins=nobody-here']);
  });
  after(() => cluster[Symbol.asyncDispose]());

  it('takes the answers from a pipe, in the order in which they are asked', async () => {
    const { code, stdout, stderr } = await cluster.login('demo', [cluster.oneTimePassword, password, password]);
    assert.equal(code, 0, stderr);
    assert.match(stdout, /^Logged in to postern\.localhost as demo, until .*\(in 12h\)\./);
    const { code: again } = await cluster.login('demo', [password]);
    assert.equal(again, 0);
  });

  it('leaves files that only the user can read', async () => {
    await cluster.login('alice', [password]);
    const directory = join(cluster.home, '.psh/postern.localhost');
    for (const name of await readdir(directory))
      assert.equal((await stat(join(directory, name))).mode & 0o077, 0, name);
    assert.equal((await stat(directory)).mode & 0o077, 0);
  });

  it('says nothing that is secret', async () => {
    const { stdout, stderr } = await cluster.login('alice', [password]);
    const key = await homeFile(cluster, '.psh/postern.localhost/tls.key');
    for (const secret of [password, key.split('\n')[1] ?? ''])
      assert.ok(secret.length > 10 && !`${stdout}${stderr}`.includes(secret));
  });

  it('has no option that would put a secret into the list of processes', async () => {
    for (const program of [cluster.psh(['login', '--help']), cluster.psh(['accept', '--help'])])
      assert.doesNotMatch((await program).stdout, /--(password|code|secret|new-password)/);
  });

  it('refuses a cluster that the pin does not name, and one without a pin', async () => {
    const wrong = await cluster.login('alice', [password], [`--ca-pin=sha256:${'0'.repeat(64)}`]);
    assert.deepEqual([wrong.code, /another cluster, or somebody is in between/.test(wrong.stderr)], [1, true]);
    const home = join(cluster.directory, 'new home');
    const { code, stderr } = await cluster.psh(
      ['--home', home, 'login', `--proxy=${cluster.address}`],
      `${password}\n`,
    );
    assert.deepEqual([code, /--ca-pin/.test(stderr)], [1, true]);
  });

  it('with a wrong password fails, and says neither which was wrong nor a stack', async () => {
    const { code, stderr } = await cluster.login('alice', ['wrong']);
    assert.equal(code, 1);
    assert.equal(stderr, 'psh: the user name or the password is wrong\n');
  });

  it('asks for the code of a second factor', async () => {
    const made = await cluster.postern(['users', 'add', 'bob', '--role=access', '--format=json']);
    const { url } = JSON.parse(made.stdout) as { url: string };
    const again = await acceptWithFreshSecret(url);
    assert.match(again.output, /bob is ready, with a second factor/);
    const before = await cluster.login('bob', [password]);
    assert.deepEqual([before.code, /standard input ended where Code/.test(before.stderr)], [2, true]);
    const { code, stderr } = await cluster.login('bob', [password, again.nextCode()]);
    assert.equal(code, 0, stderr);
  });

  /** Accepts on a terminal, where the code can be computed from the secret that is shown. */
  async function acceptWithFreshSecret(url: string): Promise<{ output: string; nextCode(): string }> {
    const terminal = open(['accept', url, `--ca-pin=${cluster.pin}`]);
    await terminal.shows(/New password: $/);
    terminal.type(`${password}\r`);
    await terminal.shows(/New password, again: $/);
    terminal.type(`${password}\r`);
    await terminal.shows(/Code that it shows[^\n]*: $/);
    const secret = /secret +([A-Z2-7]+)/.exec(terminal.output())?.[1] ?? '';
    const totp = new TOTP({ secret: Secret.fromBase32(secret) });
    terminal.type(`${totp.generate()}\r`);
    assert.equal(await terminal.code, 0);
    // The code that was used already is refused; the next one is accepted a little early.
    return { output: terminal.output(), nextCode: () => totp.generate({ timestamp: Date.now() + 30_000 }) };
  }

  const open = (args: readonly string[]): Terminal =>
    openTerminal(process.execPath, [binary('psh'), ...args], { cwd: cluster.directory, env: cluster.env });

  it('on a terminal shows nothing of the password that is typed', async () => {
    const terminal = open(['login', `--proxy=${cluster.address}`, `--ca-pin=${cluster.pin}`, '--user=alice']);
    await terminal.shows(/Password of alice: $/);
    terminal.type(`${password}x\u007f\r`);
    assert.equal(await terminal.code, 0);
    assert.match(terminal.output(), /Logged in to postern\.localhost as alice/);
    for (const part of password.split(' ')) assert.ok(!terminal.output().includes(part), part);
  });

  it('is interrupted by Ctrl-C at a prompt', async () => {
    const terminal = open(['login', `--proxy=${cluster.address}`, `--ca-pin=${cluster.pin}`, '--user=alice']);
    await terminal.shows(/Password of alice: $/);
    terminal.type('abc\u0003');
    assert.equal(await terminal.code, 130);
  });

  it('again needs neither address nor pin', async () => {
    await cluster.login('alice', [password]);
    const { code, stdout } = await cluster.psh(['login', '--ttl=1h'], `${password}\n`);
    assert.equal(code, 0);
    assert.match(stdout, /as alice, until .*\(in 1h\)/);
  });

  it('is shown by status, and ended by logout, which leaves the user’s files as they were', async () => {
    const mine = 'Host mine\r\n  Port 22';
    await cluster.psh(['logout', '--all']);
    await mkdir(join(cluster.home, '.ssh'), { recursive: true });
    await writeFile(join(cluster.home, '.ssh/config'), mine);
    await chmod(join(cluster.home, '.ssh/config'), 0o640);
    await cluster.login('alice', [password]);
    const status = await cluster.psh(['status', '--format=json']);
    assert.equal(status.code, 0);
    assert.deepEqual(
      (JSON.parse(status.stdout) as { user: string; valid: boolean }[]).map(({ user, valid }) => [user, valid]),
      [['alice', true]],
    );
    assert.match(await homeFile(cluster, '.ssh/config'), /postern begin postern\.localhost\r\n/);
    assert.equal((await cluster.psh(['logout'])).code, 0);
    assert.equal(await homeFile(cluster, '.ssh/config'), mine);
    assert.equal((await stat(join(cluster.home, '.ssh/config'))).mode & 0o777, 0o640);
    assert.deepEqual(await readdir(join(cluster.home, '.psh')), []);
    const after = await cluster.psh(['status']);
    assert.deepEqual([after.code, after.stderr], [1, 'psh: not logged in; run: psh login --proxy=<host:port>\n']);
    assert.equal(await readFile(join(cluster.home, '.pg_service.conf'), 'utf8').catch(() => 'gone'), 'gone');
  });
});
