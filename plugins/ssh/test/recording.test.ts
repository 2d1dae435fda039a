import assert from 'node:assert/strict';
import type { Hold } from '@postern/plugin-sdk';
import type { FakeRecording } from '@postern/plugin-sdk/testing';
import { fixture } from './support/fixture.js';
import { TypedTerminal } from './support/terminal.js';

const outputOf = (recording: FakeRecording | undefined): Buffer =>
  Buffer.concat(
    (recording?.entries ?? []).flatMap((entry) =>
      'direction' in entry && entry.direction === 'out' ? [entry.data] : [],
    ),
  );

describe('the recording of a terminal', function () {
  this.timeout(30_000);
  const at = fixture();

  it('holds what the client saw, byte for byte', async () => {
    const command = 'printf "\\033[31mred\\033[0m\\xff\\xfe\\n"; head -c 200000 /dev/urandom; seq 100000; echo end';
    const result = await at.client.ssh(at.login.name, [command], {}, ['-tt']);
    await at.node.idle();
    const [recording] = at.node.host.recordings;
    assert.ok(result.stdout.length > 700_000);
    assert.ok(outputOf(recording).equals(result.stdout), 'the recording differs');
    assert.deepEqual(recording?.header, {
      channel: 0,
      login: at.login.name,
      columns: 80,
      rows: 24,
      term: 'xterm',
      command,
    });
    assert.ok(recording.closed);
  });

  it('notes the size of the window, and does not hold what is typed without an echo', async () => {
    const terminal = TypedTerminal.open(at.client, at.login.name, []);
    await terminal.shows(/\$ /);
    // Said in a way that its echo does not say: only then is the echo off.
    terminal.type("stty -echo; echo re''ady; read secret; stty echo; echo do''ne\r");
    await terminal.shows(/ready\r\n/);
    terminal.type('hunter2\r');
    await terminal.shows(/done\r\n/);
    terminal.resize(90, 30);
    terminal.type('sleep 0.2; exit\r');
    await terminal.exit;
    await at.node.idle();
    const [recording] = at.node.host.recordings;
    assert.deepEqual(
      recording?.entries.filter((entry) => 'mark' in entry),
      [{ mark: 'resize', fields: { columns: 90, rows: 30 } }],
    );
    assert.ok(
      !JSON.stringify(recording?.entries.map((entry) => ('data' in entry ? entry.data.toString() : ''))).includes(
        'hunter2',
      ),
    );
    assert.equal(recording.header['command'], undefined);
    assert.equal(recording.header['columns'], 100);
  });

  it('is not made of a command without a terminal', async () => {
    await at.client.ssh(at.login.name, ['echo hi']);
    assert.deepEqual(at.node.host.recordings, []);
  });
});

describe('a recorder that cannot keep up', function () {
  this.timeout(30_000);
  const at = fixture();

  it('slows the terminal down and loses nothing', async () => {
    const done = at.client.ssh(at.login.name, ['seq 50000; sleep 1'], {}, ['-tt']);
    while (at.node.hosts.length === 0) await new Promise((resolve) => setImmediate(resolve));
    const { host } = at.node;
    const record = host.record.bind(host);
    let most = 0;
    let waiting = 0;
    host.record = async (kind, header) => {
      const recording = await record(kind, header);
      const write = recording.write.bind(recording);
      return Object.assign(recording, {
        write: async (direction: 'in' | 'out', data: Buffer) => {
          most = Math.max(most, (waiting += 1));
          await new Promise((resolve) => setTimeout(resolve, 3));
          waiting -= 1;
          write(direction, data);
        },
      });
    };
    const result = await done;
    assert.equal(result.stdout.toString().split('\r\n').length, 50_001);
    assert.ok(outputOf(host.recordings[0]).equals(result.stdout));
    assert.equal(most, 1);
  });
});

describe('a recorder that fails', function () {
  this.timeout(30_000);
  const at = fixture();

  const withRecorder = async (write: () => Hold): Promise<{ stdout: string; stderr: string }> => {
    const before = at.node.hosts.length;
    const done = at.client.ssh(at.login.name, ['echo seen; sleep 20'], {}, ['-tt']);
    while (at.node.hosts.length === before) await new Promise((resolve) => setImmediate(resolve));
    const { host } = at.node;
    const record = host.record.bind(host);
    host.record = async (kind, header) => Object.assign(await record(kind, header), { write });
    const { stdout, stderr } = await done;
    return { stdout: stdout.toString(), stderr };
  };

  it('ends the program, and nothing is shown that was not recorded', async () => {
    const failures = [
      () => {
        throw new Error('disk full');
      },
      () => Promise.reject(new Error('disk full')),
    ];
    for (const failure of failures) {
      const { stdout, stderr } = await withRecorder(failure);
      assert.equal(stdout, '');
      assert.match(stderr, /postern: internal/);
    }
  });
});
