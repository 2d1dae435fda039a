import assert from 'node:assert/strict';
import { chmod, mkdir, mkdtemp, readdir, readFile, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { EnvelopeSealer, openWrappingKey } from '../../src/certificates/index.js';
import { refusal } from './support.js';

describe('the file of the wrapping key', () => {
  let directory = '';
  const place = (...names: string[]): string => join(directory, ...names);

  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), 'postern-wrapping-'));
  });
  afterEach(() => rm(directory, { recursive: true, force: true }));

  it('is created at the first start, for its owner alone, and nothing is left beside it', async () => {
    const path = place('keys', 'wrapping.key');
    await openWrappingKey({ path, storePaths: [] });
    assert.equal((await stat(path)).mode & 0o777, 0o600);
    assert.equal((await stat(place('keys'))).mode & 0o777, 0o700);
    assert.match(await readFile(path, 'utf8'), /^postern-wrapping-key-v1:[\w-]{43}\n$/);
    assert.deepEqual(await readdir(place('keys')), ['wrapping.key']);
  });

  it('opens what was sealed before a restart', async () => {
    const path = place('wrapping.key');
    const sealed = await new EnvelopeSealer(await openWrappingKey({ path, storePaths: [] })).seal(
      'a',
      Buffer.from('x'),
    );
    const again = new EnvelopeSealer(await openWrappingKey({ path, storePaths: [] }));
    assert.equal((await again.open('a', sealed)).toString(), 'x');
  });

  it('is one file, whoever starts first', async () => {
    const path = place('wrapping.key');
    const wrappers = await Promise.all(Array.from({ length: 8 }, () => openWrappingKey({ path, storePaths: [] })));
    assert.equal(new Set(wrappers.map(({ id }) => id)).size, 1);
    assert.deepEqual(await readdir(directory), ['wrapping.key']);
  });

  for (const mode of [0o640, 0o604, 0o660, 0o666, 0o620])
    it(`is refused with mode ${mode.toString(8)}`, async () => {
      const path = place('wrapping.key');
      await openWrappingKey({ path, storePaths: [] });
      await chmod(path, mode);
      await assert.rejects(openWrappingKey({ path, storePaths: [] }), refusal('invalid_config', /must be 0600/));
    });

  it('is refused where others can exchange it', async () => {
    await mkdir(place('open'));
    await chmod(place('open'), 0o777);
    const path = place('open', 'wrapping.key');
    await assert.rejects(openWrappingKey({ path, storePaths: [] }), refusal('invalid_config', /others can write/));
  });

  it('is refused inside the store, and not created there', async () => {
    const path = place('store', 'keys', 'wrapping.key');
    await mkdir(place('store'));
    const attempt = openWrappingKey({ path, storePaths: [place('store')] });
    await assert.rejects(attempt, refusal('invalid_config', /inside the store/));
    await assert.rejects(stat(path), /ENOENT/);
  });

  it('is refused inside the store by way of a link', async () => {
    await mkdir(place('store'));
    await openWrappingKey({ path: place('store', 'real.key'), storePaths: [] });
    await symlink(place('store', 'real.key'), place('wrapping.key'));
    await symlink(place('store'), place('alias'));
    for (const path of [place('wrapping.key'), place('alias', 'real.key')])
      await assert.rejects(
        openWrappingKey({ path, storePaths: [place('store')] }),
        refusal('invalid_config', /inside the store/),
      );
  });

  it('is refused as the store itself, and accepted beside it', async () => {
    const path = place('wrapping.key');
    await openWrappingKey({ path, storePaths: [place('store.db'), place('..data'), place('wrapping')] });
    await assert.rejects(openWrappingKey({ path, storePaths: [path] }), refusal('invalid_config', /inside the store/));
  });

  const contents = [
    { name: 'empty', text: '' },
    { name: 'short', text: 'postern-wrapping-key-v1:AAAA\n' },
    { name: 'of another version', text: `postern-wrapping-key-v2:${'A'.repeat(43)}\n` },
    { name: 'a key and more', text: `postern-wrapping-key-v1:${'A'.repeat(43)}\nx` },
    { name: 'huge', text: 'A'.repeat(100_000) },
  ];
  for (const { name, text } of contents)
    it(`is refused when it is ${name}, and the error shows nothing of it`, async () => {
      const path = place('wrapping.key');
      await writeFile(path, text, { mode: 0o600 });
      await assert.rejects(openWrappingKey({ path, storePaths: [] }), (error: Error) => {
        assert.ok(refusal('invalid_config', /is not a wrapping key/)(error));
        return !error.message.includes('AAAA');
      });
    });

  it('is refused when it is a directory', async () => {
    await mkdir(place('wrapping.key'));
    await assert.rejects(
      openWrappingKey({ path: place('wrapping.key'), storePaths: [] }),
      refusal('invalid_config', /wrapping key/),
    );
  });

  it('is refused where it cannot be made, with the cause', async () => {
    await writeFile(place('file'), '');
    await symlink(place('nowhere'), place('dangling'));
    for (const path of [place('file', 'wrapping.key'), place('dangling', 'wrapping.key')])
      await assert.rejects(openWrappingKey({ path, storePaths: [] }), refusal('invalid_config', /cannot be opened/));
    const path = place('loop');
    await symlink(path, path);
    await assert.rejects(openWrappingKey({ path, storePaths: [] }), refusal('invalid_config', /cannot be opened/));
  });
});
