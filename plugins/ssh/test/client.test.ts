import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PosternError, type ClientProfile, type ClientTarget } from '@postern/plugin-sdk';
import { commands, configure, connect } from '../src/client.js';
import type { Ssh } from '../src/protocol.js';
import { hostLinePattern } from '../src/ssh-config.js';
import { run } from './support/openssh.js';

const profile = (directory: string, changes: Partial<ClientProfile> = {}): ClientProfile => ({
  cluster: 'cluster.test',
  user: 'alice',
  home: '/home/alice',
  directory,
  proxy: { host: 'cluster.test', port: 443 },
  program: ['/usr/bin/psh'],
  files: {
    certificate: join(directory, 'tls.crt'),
    key: join(directory, 'tls.key'),
    authority: join(directory, 'ca.crt'),
    identity: join(directory, 'tls.pem'),
    sshKey: join(directory, 'id'),
    sshCertificate: join(directory, 'id-cert.pub'),
    knownHosts: join(directory, 'known_hosts'),
  },
  resolves: () => false,
  ...changes,
});

const target = (name: string, principals: readonly string[] = ['deploy', 'root']): ClientTarget<Ssh> => ({
  resource: { name, labels: {}, spec: { mode: 'node' } },
  hostname: `${name}.ssh.cluster.test`,
  principals,
});

const targets = [target('web-1'), target('db-1', ['deploy']), target('weird name')];

describe('what login writes for SSH', () => {
  let directory = '';
  before(() => (directory = mkdtempSync(join(tmpdir(), 'postern ssh'))));
  after(() => rmSync(directory, { recursive: true, force: true }));

  /** The options that the stock client finds for a host. */
  function optionsOf(config: string, host: string): ReadonlyMap<string, string> {
    const file = join(directory, 'config');
    writeFileSync(file, config);
    const output = execFileSync('ssh', ['-G', '-F', file, host], { encoding: 'utf8' });
    return new Map(
      output.split('\n').map((line) => [line.split(' ')[0] ?? '', line.slice(line.indexOf(' ') + 1)] as const),
    );
  }

  it('leads every node through the proxy, by its full name and by its short one', () => {
    const { files = {} } = configure(profile('/home/alice/.postern'), targets);
    for (const host of ['web-1.ssh.cluster.test', 'web-1']) {
      const options = optionsOf(files['ssh_config'] ?? '', host);
      assert.equal(options.get('hostname'), 'web-1.ssh.cluster.test');
      assert.equal(options.get('proxycommand'), "/usr/bin/psh proxy ssh '%h' --stdio --hand-over");
      assert.equal(options.get('certificatefile'), '/home/alice/.postern/id-cert.pub');
      assert.equal(options.get('identityfile'), '/home/alice/.postern/id');
      assert.equal(options.get('identitiesonly'), 'yes');
      assert.equal(options.get('userknownhostsfile'), '/home/alice/.postern/known_hosts');
      assert.equal(options.get('stricthostkeychecking'), 'true');
      assert.equal(options.get('controlmaster'), 'auto');
      assert.equal(options.get('controlpersist'), '60');
      assert.match(options.get('controlpath') ?? '', /^\/home\/alice\/\.postern\/cm-[0-9a-f]{40}$/);
    }
    const later = optionsOf(files['ssh_config'] ?? '', 'joined-later.ssh.cluster.test');
    assert.equal(later.get('proxycommand'), "/usr/bin/psh proxy ssh '%h' --stdio --hand-over");
  });

  it('chooses the login where there is only one', () => {
    const { files = {} } = configure(profile('/home/alice/.postern'), targets);
    assert.equal(optionsOf(files['ssh_config'] ?? '', 'db-1').get('user'), 'deploy');
    assert.notEqual(optionsOf(files['ssh_config'] ?? '', 'web-1').get('user'), 'deploy');
  });

  it('does not touch other hosts', () => {
    const { files = {} } = configure(profile('/home/alice/.postern'), targets);
    for (const host of ['example.com', 'web-1.example.com', 'ssh.cluster.test', 'x.ssh.cluster.test.evil'])
      assert.equal(optionsOf(files['ssh_config'] ?? '', host).get('proxycommand'), undefined, host);
  });

  it('keeps sockets short and private where the directory has a long name', () => {
    const { files = {} } = configure(profile(`/home/${'alice/'.repeat(10)}x`), targets);
    assert.match(files['ssh_include'] ?? '', /ControlPath ~\/\.ssh\/psh-%C\n/);
  });

  it('quotes what the shell or ssh could misunderstand', async () => {
    const marker = join(directory, 'marker');
    const program = join(directory, "it's 100% $(fine)");
    mkdirSync(program, { recursive: true });
    const script = join(program, 'psh');
    writeFileSync(script, `#!/bin/sh\nprintf '%s\\n' "$@" > '${marker}'\n`, { mode: 0o755 });
    const { files = {} } = configure(profile('/home/alice/.postern', { program: [script, '--flag=a b'] }), targets);
    writeFileSync(join(directory, 'config'), files['ssh_config'] ?? '');
    await run('ssh', ['-F', join(directory, 'config'), '-o', 'ControlMaster=no', 'web-1'], {});
    const seen = (await run('cat', [marker], {})).stdout.toString().split('\n');
    assert.deepEqual(seen.slice(0, 6), [
      '--flag=a b',
      'proxy',
      'ssh',
      'web-1.ssh.cluster.test',
      '--stdio',
      '--hand-over',
    ]);
  });

  for (const name of ["x'$(touch MARKER)'", "'; touch MARKER; '", '-oProxyCommand=x', "a'b"])
    it(`does not let the name ${JSON.stringify(name)} run anything`, async () => {
      const marker = join(directory, 'injected');
      const { files = {} } = configure(profile('/home/alice/.postern', { program: ['/bin/echo'] }), targets);
      writeFileSync(join(directory, 'config'), files['ssh_config'] ?? '');
      const host = `${name.replace('MARKER', marker)}.ssh.cluster.test`;
      await run(
        'ssh',
        ['-F', join(directory, 'config'), '-o', 'BatchMode=yes', '-o', 'ConnectTimeout=2', '--', host],
        {},
      );
      assert.notEqual((await run('test', ['-e', marker], {})).code, 0);
    });

  it('refuses a path that ssh cannot hold', () => {
    for (const directory of ['/home/"x"', '/home/a\nb', '/home/${HOME}'])
      assert.throws(
        () => configure(profile(directory), targets),
        (cause) => PosternError.is(cause),
      );
  });

  it("is included at the top of the user's own file, and changes nothing below", () => {
    const own = 'ServerAliveInterval 17\nHost web-2\n    HostName web-2.example.com\n    User me\n';
    const setup = configure(profile(directory), [...targets, target('web-2')]);
    writeFileSync(join(directory, 'ssh_include'), setup.files?.['ssh_include'] ?? '');
    const [addition] = setup.additions ?? [];
    assert.equal(addition?.file, '.ssh/config');
    assert.equal(addition.place, 'top');
    const kept = (addition.sections ?? []).filter(({ pattern }) => !pattern.test(own));
    assert.deepEqual(
      kept.map(({ name }) => name),
      ['web-1', 'db-1'],
    );
    const sections = kept.map(({ text }) => text).join('');
    for (const config of [addition.text + sections + own, sections + addition.text + own]) {
      assert.equal(optionsOf(config, 'web-1').get('hostname'), 'web-1.ssh.cluster.test');
      assert.match(optionsOf(config, 'web-1').get('proxycommand') ?? '', /psh proxy ssh/);
      assert.match(optionsOf(config, 'other.ssh.cluster.test').get('proxycommand') ?? '', /psh proxy ssh/);
      assert.equal(optionsOf(config, 'web-2').get('hostname'), 'web-2.example.com');
      assert.equal(optionsOf(config, 'web-2').get('proxycommand'), undefined);
      for (const host of ['web-1', 'web-2', 'example.com'])
        assert.equal(optionsOf(config, host).get('serveraliveinterval'), '17', host);
    }
  });
});

describe('a host of the user', () => {
  const lines: readonly [line: string, names: boolean][] = [
    ['Host web-1', true],
    ['host web-1', true],
    ['\tHost\tother web-1 more', true],
    ['Host=web-1', true],
    ['Host "web-1"', true],
    ['Host web-*', true],
    ['Host *-1', true],
    ['Host w*1', true],
    ['Host *', false],
    ['Host web-10', false],
    ['Host xweb-1', false],
    ['Host db-*', false],
    ['Host *-2', false],
    ['HostName web-1', false],
    ['# Host web-1', false],
    ['User web-1', false],
  ];
  for (const [line, names] of lines)
    it(`${names ? 'is' : 'is not'} web-1 by the line ${JSON.stringify(line)}`, () =>
      assert.equal(hostLinePattern('web-1').test(`User x\n${line}\n    Port 22\n`), names));

  it('is found in no time, however long the line', () => {
    const started = performance.now();
    hostLinePattern('a'.repeat(63)).test(`Host ${'a'.repeat(50_000)}b ${'*'.repeat(5_000)}`);
    assert.ok(performance.now() - started < 1_000);
  });
});

describe('the commands of SSH', () => {
  const alice = profile('/home/alice/.postern');

  it('run the stock programs with the configuration of the profile', () => {
    assert.deepEqual(commands['ssh']?.(alice, ['-L', '1:db:2', 'deploy@web-1', 'uptime']), {
      program: 'ssh',
      args: ['-F', '/home/alice/.postern/ssh_config', '-L', '1:db:2', 'deploy@web-1', 'uptime'],
    });
    assert.deepEqual(commands['scp']?.(alice, ['a', 'web-1:b']), {
      program: 'scp',
      args: ['-F', '/home/alice/.postern/ssh_config', 'a', 'web-1:b'],
    });
  });

  it('connect to one target as one login', () => {
    const options = { user: 'deploy', options: {}, args: ['uptime'] };
    assert.deepEqual(connect(alice, target('web-1'), options).args, [
      '-F',
      '/home/alice/.postern/ssh_config',
      '-l',
      'deploy',
      'web-1.ssh.cluster.test',
      'uptime',
    ]);
  });
});
