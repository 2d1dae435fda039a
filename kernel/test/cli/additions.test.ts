import assert from 'node:assert/strict';
import { chmod, lstat, mkdir, readFile, readdir, stat, symlink, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { applySetups, removeAdditions } from '../../src/cli/additions/apply-setups.js';
import { editFile } from '../../src/cli/additions/edit-file.js';
import { Profile } from '../../src/cli/profile/profile.js';
import { environment } from './support/environment.js';
import { temporaryDirectory } from './support/temporary-directory.js';

const data = {
  version: 1,
  cluster: 'access.example.com',
  user: 'alice',
  proxy: { host: 'access.example.com', port: 3080 },
  expires: '2030-01-01T00:00:00.000Z',
  roles: [],
  additions: [],
} as const;

const addition = { file: '.tool/rc', comment: '#', place: 'top' as const, text: 'include ours\n' };

describe('a file of the user’s', () => {
  it('keeps its mode, and nothing else is left beside it', async () => {
    await using directory = await temporaryDirectory();
    const path = join(directory.path, 'rc');
    await writeFile(path, 'mine\n');
    await chmod(path, 0o640);
    assert.deepEqual(await editFile(path, (text) => `ours\n${text}`), { created: false });
    assert.equal(await readFile(path, 'utf8'), 'ours\nmine\n');
    assert.equal((await stat(path)).mode & 0o777, 0o640);
    assert.deepEqual(await readdir(directory.path), ['rc']);
  });

  it('that is a link stays a link, to the changed file', async () => {
    await using directory = await temporaryDirectory();
    const real = join(directory.path, 'dotfiles');
    await writeFile(real, 'mine\n');
    await symlink(real, join(directory.path, 'rc'));
    await editFile(join(directory.path, 'rc'), (text) => `${text}ours\n`);
    assert.ok((await lstat(join(directory.path, 'rc'))).isSymbolicLink());
    assert.equal(await readFile(real, 'utf8'), 'mine\nours\n');
  });

  it('keeps bytes that are no text', async () => {
    await using directory = await temporaryDirectory();
    const path = join(directory.path, 'rc');
    const bytes = Buffer.from(Array.from({ length: 256 }, (_, index) => index));
    await writeFile(path, bytes);
    await editFile(path, (text) => `${text}ours`);
    assert.deepEqual(await readFile(path), Buffer.concat([bytes, Buffer.from('ours')]));
  });

  it('that nobody may write is left as it is, and the error says which', async () => {
    await using directory = await temporaryDirectory();
    const path = join(directory.path, 'rc');
    await writeFile(path, 'mine\n');
    await chmod(path, 0o444);
    await assert.rejects(
      editFile(path, () => 'ours'),
      { code: 'unavailable', message: /rc cannot be changed/ },
    );
    assert.equal(await readFile(path, 'utf8'), 'mine\n');
  });

  it('that another program changes at the same time loses nothing', async () => {
    await using directory = await temporaryDirectory();
    const path = join(directory.path, 'rc');
    await writeFile(path, 'mine\n');
    let raced = false;
    const { writeFileSync } = await import('node:fs');
    await editFile(path, (text) => {
      if (!raced) writeFileSync(path, 'mine\nand theirs\n');
      raced = true;
      return `${text}ours\n`;
    });
    assert.equal(await readFile(path, 'utf8'), 'mine\nand theirs\nours\n');
  });

  it('that is not there is made for its owner alone', async () => {
    await using directory = await temporaryDirectory();
    const path = join(directory.path, 'deep', 'rc');
    assert.deepEqual(await editFile(path, () => 'ours\n'), { created: true });
    assert.equal((await stat(path)).mode & 0o777, 0o600);
    assert.equal((await stat(join(directory.path, 'deep'))).mode & 0o777, 0o700);
  });
});

describe('what login leaves for native tools', () => {
  async function home() {
    const directory = await temporaryDirectory();
    const variables = environment({ HOME: directory.path, POSTERN_HOME: undefined });
    return {
      path: directory.path,
      async [Symbol.asyncDispose]() {
        variables[Symbol.dispose]();
        await directory[Symbol.asyncDispose]();
      },
    };
  }

  it('is gone after logout, with the file that was made for it', async () => {
    await using place = await home();
    const { profile } = await applySetups(new Profile(data), [{ files: { 'tool.conf': 'x' }, additions: [addition] }]);
    assert.equal(await readFile(join(profile.directory, 'tool.conf'), 'utf8'), 'x');
    const again = await Profile.load(data.cluster);
    // A second login must not forget that the file is ours.
    const { profile: later } = await applySetups(again, [{ additions: [{ ...addition, text: 'include other\n' }] }]);
    assert.deepEqual(later.data.additions, [{ file: '.tool/rc', comment: '#', created: true }]);
    assert.deepEqual(await removeAdditions(later), []);
    assert.deepEqual(await readdir(join(place.path, '.tool')), []);
  });

  it('leaves a file that was there, as it was', async () => {
    await using place = await home();
    await mkdir(join(place.path, '.tool'));
    await writeFile(join(place.path, '.tool/rc'), '');
    const { profile } = await applySetups(new Profile(data), [{ additions: [addition] }]);
    await removeAdditions(profile);
    assert.equal(await readFile(join(place.path, '.tool/rc'), 'utf8'), '');
  });

  it('goes when a plugin does not want it any more', async () => {
    await using place = await home();
    const files = { 'tool/one.conf': '1', 'tool/two.conf': '2' };
    const { profile } = await applySetups(new Profile(data), [{ files, additions: [addition] }]);
    const { profile: after } = await applySetups(profile, [{ files: { 'tool/two.conf': '2' } }]);
    assert.deepEqual(after.data.additions, []);
    assert.deepEqual(await readdir(join(place.path, '.tool')), []);
    assert.deepEqual(await readdir(join(profile.directory, 'tool')), ['two.conf']);
    await applySetups(await Profile.load(data.cluster), []);
    assert.deepEqual(await readdir(join(profile.directory, 'tool')), []);
  });

  it('does not touch a file that says the same already', async () => {
    await using place = await home();
    const { profile } = await applySetups(new Profile(data), [{ additions: [addition] }]);
    const path = join(place.path, '.tool/rc');
    await utimes(path, 1, 1);
    await applySetups(profile, [{ additions: [addition] }]);
    assert.equal((await stat(path)).mtimeMs, 1000);
  });

  it('warns where the user has entries of the same name, and where a file cannot be changed', async () => {
    await using place = await home();
    await mkdir(join(place.path, '.tool'));
    await writeFile(join(place.path, '.tool/rc'), '[shop]\n');
    await mkdir(join(place.path, '.other'));
    const { warnings } = await applySetups(new Profile(data), [
      { additions: [{ ...addition, sections: [{ name: 'shop', pattern: /^\[shop\]$/m, text: '[shop]\n' }] }] },
      { additions: [{ ...addition, file: '.other' }] },
    ]);
    assert.match(warnings[0] ?? '', /~\/\.tool\/rc has entries of yours for shop/);
    assert.match(warnings[1] ?? '', /\.other is no file/);
  });

  it('cannot be written outside the home directory and the profile', async () => {
    await using _place = await home();
    for (const file of ['../x', '/etc/x', 'a/../../x', '']) {
      const { warnings } = await applySetups(new Profile(data), [{ additions: [{ ...addition, file }] }]).catch(
        (cause: Error) => ({ warnings: [cause.message] }),
      );
      assert.match(warnings[0] ?? '', /is not below the directory/);
      await assert.rejects(applySetups(new Profile(data), [{ files: { [file]: 'x' } }]), { code: 'invalid_argument' });
    }
  });
});
