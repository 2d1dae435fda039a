import assert from 'node:assert/strict';
import { PosternError } from '@postern/plugin-sdk';
import { checkReachable, launchOf, type Launch } from '../src/launch.js';

const login = { name: 'web', uid: 1001, gid: 1002, home: '/srv/web', shell: '/bin/zsh' };
const terminal = { name: 'xterm', columns: 80, rows: 24, modes: Buffer.from([53, 0, 0, 0, 1]) };

/** What would be started by an agent that runs as this user. */
function as<T>(uid: number, work: () => T): T {
  const { getuid } = process;
  process.getuid = () => uid;
  try {
    return work();
  } finally {
    if (getuid) process.getuid = getuid;
  }
}

const argumentsBehind = (launch: Launch): readonly string[] => launch.args.slice(launch.args.indexOf('sh') + 1);

describe('how a program is started', () => {
  it('gives the user and the user’s groups, where the agent is root', () => {
    const { program, args } = as(0, () => launchOf({ kind: 'command', command: 'id' }, login));
    assert.match(program, /\/setpriv$/);
    assert.deepEqual(args.slice(0, 5), ['--reuid=1001', '--regid=1002', '--init-groups', '--inh-caps=-all', '--']);
  });

  it('needs nobody’s help where the agent is that user', () => {
    assert.equal(as(1001, () => launchOf({ kind: 'command', command: 'id' }, login)).program, '/bin/sh');
  });

  it('is refused with a reason where the agent is somebody else', () => {
    for (const work of [() => checkReachable(login), () => launchOf({ kind: 'shell' }, login)])
      assert.throws(
        () => as(1000, work),
        (cause) =>
          PosternError.is(cause) &&
          cause.publicMessage === 'the agent on this node runs as user 1000 and cannot become web',
      );
  });

  it('has the user’s shell run a command, whatever is in it', () => {
    const command = `echo 'a "b"' $(c); d\n& -x`;
    const launch = as(1001, () => launchOf({ kind: 'command', command }, login));
    assert.deepEqual(argumentsBehind(launch), ['/bin/zsh', '-c', command]);
    const onTerminal = as(1001, () => launchOf({ kind: 'command', command }, login, terminal));
    assert.deepEqual(argumentsBehind(onTerminal), ['iutf8 echo', '/bin/zsh', '-c', command]);
  });

  it('makes a shell a login shell', () => {
    const launch = as(1001, () => launchOf({ kind: 'shell' }, login, terminal));
    const behind = argumentsBehind(launch);
    // By its name where bash is there to give one, by an option elsewhere.
    if (launch.program.endsWith('bash')) assert.deepEqual(behind, ['iutf8 echo', '-zsh', '/bin/zsh']);
    else assert.deepEqual(behind, ['iutf8 echo', '/bin/zsh', '-l']);
  });
});
