import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fixture } from './support/fixture.js';

const data = randomBytes(300_000);

describe('the audit of a file transfer', function () {
  this.timeout(20_000);
  const at = fixture();
  let directory = '';
  before(() => {
    directory = mkdtempSync(join(tmpdir(), 'postern-ssh-sftp-'));
    chmodSync(directory, 0o777);
    writeFileSync(join(directory, 'local'), data);
  });
  after(() => rmSync(directory, { recursive: true, force: true }));

  const events = (): readonly Record<string, unknown>[] =>
    at.node.host.events
      .filter(({ type }) => type === 'ssh.sftp')
      .map(({ fields: { channel: _, ...fields } }) => fields);

  it('names every file that was read, written, moved, changed or removed, and how much of it', async () => {
    const to = join(directory, 'remote');
    const batch = [
      `put ${directory}/local ${to}`,
      `get ${to} ${directory}/back`,
      `rename ${to} ${to}2`,
      `chmod 600 ${to}2`,
      `ln ${to}2 ${to}hard`,
      `symlink ${to}2 ${to}soft`,
      `mkdir ${to}dir`,
      `ls ${to}dir`,
      `rmdir ${to}dir`,
      `rm ${to}soft`,
    ];
    assert.equal((await at.client.sftp(at.login.name, `${batch.join('\n')}\n`)).code, 0);
    await at.node.idle();
    assert.deepEqual(events(), [
      { operation: 'open', path: to, flags: ['write', 'create', 'truncate'] },
      { operation: 'close', path: to, read: 0, written: data.length },
      { operation: 'open', path: to, flags: ['read'] },
      { operation: 'close', path: to, read: data.length, written: 0 },
      { operation: 'rename', path: to, path2: `${to}2` },
      { operation: 'setstat', path: `${to}2`, flags: ['permissions'] },
      { operation: 'link', path: `${to}2`, path2: `${to}hard` },
      { operation: 'symlink', path: `${to}soft`, path2: `${to}2` },
      { operation: 'mkdir', path: `${to}dir` },
      { operation: 'list', path: `${to}dir/` },
      { operation: 'rmdir', path: `${to}dir` },
      { operation: 'remove', path: `${to}soft` },
    ]);
  });

  it('knows a copy by scp, which uses the same protocol', async () => {
    const to = join(directory, 'scp');
    assert.equal((await at.client.scp([join(directory, 'local'), `${at.login.name}@node:${to}`])).code, 0);
    await at.node.idle();
    assert.deepEqual(events()[0], { operation: 'open', path: to, flags: ['write', 'create'] });
    assert.ok(events().some(({ operation, written }) => operation === 'close' && written === data.length));
  });

  it('knows a copy by the old protocol as a command', async () => {
    const to = join(directory, 'old');
    assert.equal((await at.client.scp([join(directory, 'local'), `${at.login.name}@node:${to}`], ['-O'])).code, 0);
    const exec = at.node.host.events.find(({ type }) => type === 'ssh.exec');
    assert.equal(exec?.fields['command'], `scp -t ${to}`);
  });
});

describe('a lost audit log', function () {
  this.timeout(20_000);
  let lost = '';
  const at = fixture(undefined, {
    store: ({ type, fields }) => {
      if (type === lost || fields['operation'] === lost) throw new Error('no space left');
    },
  });
  let directory = '';
  before(() => {
    directory = mkdtempSync(join(tmpdir(), 'postern-ssh-lost-'));
    chmodSync(directory, 0o777);
  });
  after(() => rmSync(directory, { recursive: true, force: true }));

  it('keeps a command from being started', async () => {
    lost = 'ssh.exec';
    const result = await at.client.ssh(at.login.name, [`touch ${directory}/started`]);
    assert.notEqual(result.code, 0);
    assert.match(result.stderr, /cannot be recorded/);
    assert.notEqual((await at.client.sftp(at.login.name, `ls ${directory}/started\n`)).code, 0);
  });

  it('keeps a file from being removed', async () => {
    const file = join(directory, 'kept');
    writeFileSync(file, 'x');
    chmodSync(file, 0o666);
    lost = 'remove';
    assert.notEqual((await at.client.sftp(at.login.name, `rm ${file}\n`)).code, 0);
    lost = '';
    assert.equal((await at.client.sftp(at.login.name, `ls ${file}\n`)).code, 0);
  });
});
