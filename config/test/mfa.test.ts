import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Secret, TOTP } from 'otpauth';
import { binary, build, TestCluster, type Result } from './support/programs.js';
import { openTerminal, type Terminal } from './support/terminal.js';

const password = 'correct horse battery staple';

describe('psh mfa', function () {
  this.timeout(120_000);
  let cluster: TestCluster;

  before(async () => {
    await build();
    cluster = await TestCluster.start();
    const role = join(cluster.directory, 'careful.yaml');
    await writeFile(role, 'kind: role\nname: careful\noptions: { require_mfa: true }\n');
    const { code, stderr } = await cluster.postern(['create', '-f', role]);
    assert.equal(code, 0, stderr);
    await cluster.user('sam', password, ['--role=careful']);
  });
  after(() => cluster[Symbol.asyncDispose]());

  const open = (args: readonly string[]): Terminal =>
    openTerminal(process.execPath, [binary('psh'), ...args], { cwd: cluster.directory, env: cluster.env });

  /** The codes of the seed that was shown: the current one and, which is accepted too, the next. */
  const codesOf = (output: string): ((stepsAhead: number) => string) => {
    const totp = new TOTP({ secret: Secret.fromBase32(/secret +([A-Z2-7]+)/.exec(output)?.[1] ?? '') });
    return (stepsAhead) => totp.generate({ timestamp: Date.now() + stepsAhead * 30_000 });
  };
  const psh = (args: readonly string[], ...answers: readonly string[]): Promise<Result> =>
    cluster.psh(args, answers.map((line) => `${line}\n`).join(''));

  it('is what a login names where the roles demand a second factor, and adds one there', async () => {
    const login = await cluster.login('sam', [password]);
    assert.equal(login.code, 1);
    assert.match(login.stderr, /your roles demand a second factor: add one with psh mfa add, then log in again/);
    const terminal = open(['mfa', 'add', 'phone']);
    await terminal.shows(/Password of sam: $/);
    terminal.type(`${password}\r`);
    await terminal.shows(/Code that it shows: $/);
    assert.match(terminal.output(), /otpauth:\/\/totp\/Postern/);
    assert.match(terminal.output(), /[█▀▄]{8}/, 'a picture');
    const codeOf = codesOf(terminal.output());
    terminal.type('12\r');
    await terminal.shows(/the code is wrong[^]*Code that it shows: $/);
    terminal.type(`${codeOf(0)}\r`);
    assert.equal(await terminal.code, 0);
    assert.match(terminal.output(), /phone is a second factor of sam now/);

    const again = await psh(['login'], password, codeOf(1));
    assert.equal(again.code, 0, again.stderr);
    const listed = await psh(['mfa', 'ls', '--format=json']);
    assert.deepEqual(
      (JSON.parse(listed.stdout) as { name: string }[]).map(({ name }) => name),
      ['phone'],
    );
  });

  it('removes a device, which ends the certificates, and says so', async () => {
    await cluster.user('tim', password);
    await cluster.login('tim', [password]);
    const terminal = open(['mfa', 'add']);
    await terminal.shows(/Password of tim: $/);
    terminal.type(`${password}\r`);
    await terminal.shows(/Code that it shows: $/);
    const codeOf = codesOf(terminal.output());
    terminal.type(`${codeOf(0)}\r`);
    assert.equal(await terminal.code, 0);
    const removed = await psh(['mfa', 'rm', 'authenticator'], password, codeOf(1));
    assert.match(removed.stdout, /authenticator is no second factor of tim any more.*Log in again: psh login/);
    assert.match((await psh(['mfa', 'ls'])).stderr, /log in again: psh login/);
  });

  it('takes the answers from a pipe, without a picture, and tells what to do next', async () => {
    await cluster.user('tom', password);
    await cluster.login('tom', [password]);
    const refused = await psh(['mfa', 'add', 'first'], password, '000000');
    assert.equal(refused.code, 2);
    assert.match(refused.stderr, /secret +[A-Z2-7]{32}\n/);
    assert.doesNotMatch(refused.stderr, /[█▀▄]/);
    assert.match((await psh(['mfa', 'ls'])).stderr, /nothing to show/);
    const missing = await psh(['mfa', 'rm', 'first'], password);
    assert.match(missing.stderr, /you have no device first; see: psh mfa ls/);
  });
});
