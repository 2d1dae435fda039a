import assert from 'node:assert/strict';
import { mkdir, readdir, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { addressText, proxyAddress } from '../../src/cli/profile/proxy-address.js';
import { writePrivateFile } from '../../src/cli/profile/private-file.js';
import { Profile } from '../../src/cli/profile/profile.js';
import { environment } from './support/environment.js';
import { temporaryDirectory } from './support/temporary-directory.js';

const data = {
  version: 1,
  cluster: 'access.example.com',
  user: 'alice',
  proxy: { host: '10.0.0.5', port: 3080 },
  expires: '2030-01-01T00:00:00.000Z',
  roles: ['access'],
  additions: [],
} as const;

async function profiles() {
  const directory = await temporaryDirectory();
  const variables = environment({ POSTERN_HOME: join(directory.path, 'psh'), POSTERN_CLUSTER: undefined });
  return {
    path: join(directory.path, 'psh'),
    async [Symbol.asyncDispose]() {
      variables[Symbol.dispose]();
      await directory[Symbol.asyncDispose]();
    },
  };
}

describe('a profile', () => {
  it('is private to its owner', async () => {
    await using place = await profiles();
    const profile = new Profile(data);
    await profile.save();
    await profile.select();
    assert.equal((await stat(place.path)).mode & 0o777, 0o700);
    assert.equal((await stat(profile.directory)).mode & 0o777, 0o700);
    assert.equal((await stat(join(profile.directory, 'profile.json'))).mode & 0o777, 0o600);
    assert.deepEqual(await readdir(profile.directory), ['profile.json']);
  });

  it('is found again: the current one, a named one, and the owner of a full name', async () => {
    await using _place = await profiles();
    const inner = { ...data, cluster: 'inner.access.example.com' };
    for (const one of [inner, data]) {
      await new Profile(one).save();
      await new Profile(one).select();
    }
    assert.deepEqual((await Profile.load()).data, data);
    assert.deepEqual((await Profile.load(inner.cluster)).data, inner);
    assert.equal((await Profile.owning('n.kind.inner.access.example.com'))?.data.cluster, inner.cluster);
    assert.equal((await Profile.owning('n.kind.access.example.com'))?.data.cluster, data.cluster);
    assert.equal(await Profile.owning('n.kind.other.example.com'), undefined);
    assert.equal((await Profile.all()).length, 2);
  });

  it('that is not there says how to log in', async () => {
    await using _place = await profiles();
    await assert.rejects(Profile.load(), { code: 'not_found', message: /run: psh login/ });
    await assert.rejects(Profile.load('a.example.com'), { code: 'not_found', message: /run: psh login/ });
  });

  it('cannot be named so that another directory is read', async () => {
    await using _place = await profiles();
    for (const name of ['../x', '..', '/etc', 'A', '']) await assert.rejects(Profile.load(name));
  });

  it('that is damaged asks for another login, and hides no other', async () => {
    await using place = await profiles();
    await new Profile(data).save();
    for (const text of ['', '[]', '{"version":1}', '{"version":2,"cluster":"b.example.com"}', JSON.stringify(data)]) {
      await mkdir(join(place.path, 'b.example.com'), { recursive: true });
      await writeFile(join(place.path, 'b.example.com', 'profile.json'), text);
      await assert.rejects(Profile.load('b.example.com'), { code: 'invalid_config' });
    }
    assert.equal((await Profile.all()).length, 1);
  });

  it('takes its selection with it when it is removed', async () => {
    await using place = await profiles();
    await new Profile(data).save();
    await new Profile(data).select();
    await new Profile(data).remove();
    assert.deepEqual(await readdir(place.path), []);
  });
});

describe('a private file', () => {
  it('is private also where a readable one was', async () => {
    await using directory = await temporaryDirectory();
    const path = join(directory.path, 'key');
    await writeFile(path, 'old', { mode: 0o644 });
    await writePrivateFile(path, 'new');
    assert.equal((await stat(path)).mode & 0o777, 0o600);
    assert.deepEqual(await readdir(directory.path), ['key']);
  });
});

describe('the address of a proxy', () => {
  const good = [
    ['access.example.com', { host: 'access.example.com', port: 3080 }],
    ['Access.Example.com:443', { host: 'access.example.com', port: 443 }],
    ['10.0.0.5:1', { host: '10.0.0.5', port: 1 }],
    ['[2001:db8::1]:3080', { host: '2001:db8::1', port: 3080 }],
  ] as const;
  for (const [text, want] of good) it(`${text} is understood`, () => assert.deepEqual(proxyAddress(text), want));
  for (const text of ['', 'a:b', 'a:0', 'a:65536', 'https://a', '2001:db8::1', 'a b', 'a/b'])
    it(`${JSON.stringify(text)} is refused`, () =>
      assert.throws(() => proxyAddress(text), { code: 'invalid_argument' }));

  it('is written so that it can be read again', () => {
    for (const [, address] of good) assert.deepEqual(proxyAddress(addressText(address)), address);
  });
});
