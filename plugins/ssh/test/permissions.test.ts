import assert from 'node:assert/strict';
import type { Loopback } from '@postern/plugin-sdk/testing';
import { echoServer } from './support/echo.js';
import { everything, fixture, type Fixture } from './support/fixture.js';
import { OpenSsh, type Finished } from './support/openssh.js';
import { TypedTerminal } from './support/terminal.js';

interface Denied {
  readonly action: string;
  readonly more?: readonly string[];
  readonly command?: readonly string[];
  readonly stderr: RegExp;
  /** What the client does nevertheless. */
  readonly stdout?: string;
}

const denied: readonly Denied[] = [
  { action: 'exec', command: ['echo hi'], stderr: /^postern: access denied\r\n$/ },
  { action: 'shell', stderr: /^(Pseudo.*\r?\n)?postern: access denied\r\n$/ },
  {
    action: 'x11',
    more: ['-Y'],
    command: ['echo ${DISPLAY-none}'],
    stderr: /X11 forwarding request failed on channel 0\r?\npostern: access denied\r\n/,
    stdout: 'none\n',
  },
];

describe('what no role allows', function () {
  this.timeout(20_000);
  const at = fixture({ shell: false, exec: false, sftp: false });

  it('is refused to a command, in words', async () => {
    const result = await at.client.ssh(at.login.name, ['echo hi']);
    assert.equal(result.stdout.toString(), '');
    assert.equal(result.stderr, 'postern: access denied\r\n');
    assert.equal(result.code, 254);
    await at.node.idle();
    assert.deepEqual(
      at.node.events().map(({ type }) => type),
      ['session.start', 'session.denied', 'session.end'],
    );
    assert.deepEqual(at.node.host.asks, [
      { login: at.login.name },
      { login: at.login.name, action: 'exec', command: 'echo hi' },
    ]);
  });

  it('is refused to a file transfer, in words', async () => {
    const result = await at.client.sftp(at.login.name, 'ls\n');
    assert.match(result.stderr, /postern: access denied/);
    assert.notEqual(result.code, 0);
    const copy = await at.client.scp(['/etc/hostname', `${at.login.name}@node:/tmp/never`]);
    assert.match(copy.stderr, /postern: access denied/);
    assert.notEqual(copy.code, 0);
  });

  it('is refused to a destination, in words', async () => {
    const result = await at.client.ssh(at.login.name, [], {}, ['-W', '127.0.0.1:22']);
    assert.match(result.stderr, /administratively prohibited: access denied/);
  });

  it('is refused to a listener', async () => {
    const result = await at.client.ssh(at.login.name, [], {}, [
      '-N',
      '-R',
      '0:127.0.0.1:1',
      '-o',
      'ExitOnForwardFailure=yes',
    ]);
    assert.notEqual(result.code, 0);
  });

  it('starts no process', () => {
    assert.equal(at.node.events().filter(({ type }) => type.startsWith('ssh.')).length, 0);
  });
});

for (const { action, more = [], command = [], stderr, stdout = '' } of denied)
  describe(`a role that switches ${action} off`, function () {
    this.timeout(20_000);
    const at = fixture({ ...everything, [action]: false });

    it('has the client told so', async () => {
      const env = { DISPLAY: '127.0.0.1:99' };
      const result = await at.client.ssh(at.login.name, command, { env }, more);
      assert.match(result.stderr.replace(/^Warning: No xauth.*\n/m, ''), stderr);
      assert.equal(result.stdout.toString(), stdout);
    });
  });

describe('a role that switches terminals off', function () {
  this.timeout(20_000);
  const at = fixture({ ...everything, pty: false });

  it('leaves a shell without one, and has the user told why', async () => {
    const terminal = TypedTerminal.open(at.client, at.login.name, []);
    await terminal.shows(/PTY allocation request failed on channel 0\r+\n/);
    await terminal.shows(/postern: access denied\r+\n/);
    terminal.type('tty; exit 3\r');
    await terminal.shows(/not a tty/);
    assert.equal(await terminal.exit, 3);
  });
});

describe('a role that lists destinations', function () {
  this.timeout(20_000);
  let echo: Loopback;
  const at: Fixture = fixture({
    forward: ['127.0.0.1:1-1023', 'localhost:*'],
    reverse_forward: ['localhost:40000-50000'],
  });
  before(async () => (echo = await echoServer()));
  after(() => echo.close());

  const through = (host: string): Promise<Finished> =>
    at.client.ssh(at.login.name, [], { input: 'x' }, ['-W', `${host}:${echo.port}`]);

  it('permits those, however they are written', async () => {
    for (const host of ['localhost', 'LOCALHOST', 'localhost.'])
      assert.equal((await through(host)).stdout.toString(), 'x', host);
  });

  it('permits no others', async () => {
    assert.match((await through('127.0.0.1')).stderr, /administratively prohibited: access denied/);
    const options = ['-N', '-o', 'ExitOnForwardFailure=yes', '-R', `30000:127.0.0.1:${echo.port}`];
    assert.match((await at.client.ssh(at.login.name, [], {}, options)).stderr, /remote port forwarding failed/);
  });
});

describe('a certificate that lacks a permission', function () {
  this.timeout(20_000);
  const at = fixture();
  const limited = (options: readonly string[]): OpenSsh =>
    new OpenSsh(at.authority, at.node.port, at.authority.user({ principals: [at.login.name], options }));

  it('has no terminal, whatever the roles say', async () => {
    const terminal = TypedTerminal.open(limited(['no-pty']), at.login.name, []);
    await terminal.shows(/postern: the certificate does not carry permit-pty\r+\n/);
    terminal.type('tty; exit 1\r');
    await terminal.shows(/not a tty/);
    assert.equal(await terminal.exit, 1);
  });

  it('forwards nothing, whatever the roles say', async () => {
    const result = await limited(['no-port-forwarding']).ssh(at.login.name, [], {}, ['-W', '127.0.0.1:22']);
    assert.match(result.stderr, /the certificate does not carry permit-port-forwarding/);
    assert.equal(at.node.host.dialled.length, 0);
  });
});

describe('a machine that lacks something', function () {
  this.timeout(20_000);
  const at = fixture(everything, { config: { sftp_server: '/nonexistent/sftp-server' } });

  it('says so when a file transfer cannot start', async () => {
    const result = await at.client.sftp(at.login.name, 'ls\n');
    assert.notEqual(result.code, 0);
  });

  it('does not offer other subsystems', async () => {
    const result = await at.client.ssh(at.login.name, ['netconf'], {}, ['-s']);
    assert.match(result.stderr, /postern: the subsystem netconf is not offered\r\n/);
  });
});
