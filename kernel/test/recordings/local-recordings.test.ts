import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { copyFile, mkdir, readFile, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { buffer } from 'node:stream/consumers';
import { PosternError } from '@postern/plugin-sdk';
import { recordingFiles } from '../../src/recordings/index.js';
import { start, Store } from './support.js';

const formats = ['terminal', 'lines', 'packets'] as const;

describe('local recordings', () => {
  for (const format of formats) {
    it(`refuse a write to a ${format} recording that was closed`, async () => {
      await using store = await Store.open();
      const made = await store.recordings.create(start('s1', format));
      await made.close();
      assert.throws(() => void made.write('out', Buffer.from('x')), { code: 'audit_unavailable' });
      assert.throws(() => void made.mark('late', {}), { code: 'audit_unavailable' });
    });

    it(`say the hash of every file of a ${format} recording`, async () => {
      await using store = await Store.open();
      const made = await store.recordings.create(start('s1', format));
      await made.write('out', Buffer.from('grüße'));
      await made.mark('resize', { columns: 1, rows: 2 });
      const { hashes, bytes } = await made.complete();
      const files: readonly string[] = recordingFiles[format];
      assert.deepEqual(Object.keys(hashes ?? {}), files);
      for (const file of files) {
        const data = await readFile(store.in('s1', file));
        assert.equal(hashes?.[file], createHash('sha256').update(data).digest('hex'));
      }
      assert.equal(bytes, (await stat(store.in('s1', files[0] ?? ''))).size);
    });

    it(`lets nobody but their owner read a ${format} recording`, async () => {
      await using store = await Store.open();
      await (await store.recordings.create(start('s1', format))).close();
      for (const file of ['metadata.json', ...recordingFiles[format]])
        assert.equal((await stat(store.in('s1', file))).mode & 0o777, 0o600, file);
      assert.equal((await stat(store.in('s1', '.'))).mode & 0o777, 0o700);
    });
  }

  it('say the hash of what was recorded, also where somebody changes it on the disk before the end', async () => {
    await using store = await Store.open();
    const made = await store.recordings.create(start('s1', 'lines'));
    await made.mark('asked', {});
    while ((await stat(store.in('s1', 'lines.jsonl'))).size === 0)
      await new Promise((resolve) => setTimeout(resolve, 5));
    const written = await readFile(store.in('s1', 'lines.jsonl'));
    await writeFile(store.in('s1', 'lines.jsonl'), 'nothing was asked\n');
    const { hashes } = await made.complete();
    assert.equal(hashes?.['lines.jsonl'], createHash('sha256').update(written).digest('hex'));
  });

  it('list what lies beside a lost+found', async () => {
    await using store = await Store.open();
    await mkdir(`${store.directory}/lost+found`);
    assert.deepEqual(await store.recordings.list({ limit: 5 }), []);
    assert.deepEqual(await store.recordings.recover(), []);
  });

  it('list a recording during which the clock was set back', async () => {
    let time = 1e12;
    await using store = await Store.open(() => new Date(time));
    const made = await store.recordings.create(start('s1'));
    time -= 5000;
    await made.write('out', Buffer.from('x'));
    await made.close();
    assert.equal((await store.recordings.list({ limit: 5 })).length, 1);
  });

  it('number the recordings of a session that begin at once, and list them in their order', async () => {
    await using store = await Store.open();
    const made = await Promise.all(Array.from({ length: 12 }, () => store.recordings.create(start('s1', 'lines'))));
    assert.equal(new Set(made.map(({ recording }) => recording)).size, 12);
    await Promise.all(made.map((one) => one.close()));
    const listed = await store.recordings.list({ session: 's1', limit: 100 });
    assert.deepEqual(
      listed.map(({ recording }) => recording),
      Array.from({ length: 12 }, (_, index) => String(index + 1)),
    );
  });

  it('lets no field forge the time or the name of a mark', async () => {
    await using store = await Store.open();
    const made = await store.recordings.create(start('s1', 'lines'));
    await made.mark('a', { ms: -9, mark: 'b', q: 1 });
    await made.close();
    const line = JSON.parse(await readFile(store.in('s1', 'lines.jsonl'), 'utf8')) as Record<string, unknown>;
    assert.deepEqual({ ...line, ms: 0 }, { ms: 0, mark: 'a', q: 1 });
    assert.ok((line['ms'] as number) >= 0);
  });
});

describe('paths out of the recordings', () => {
  const outside = ['..', '../s1', '/etc', 's1/../s1', 's1\0', '', '.', 's1/1', '-s1', 'x'.repeat(129)];

  for (const name of outside) {
    it(`cannot be named as a session: ${JSON.stringify(name.slice(0, 12))}`, async () => {
      await using store = await Store.open();
      await (await store.recordings.create(start('s1'))).close();
      const refused = (cause: unknown): boolean => PosternError.is(cause) && cause.code === 'not_found';
      await assert.rejects(store.recordings.read(name, '1', 'output'), refused);
      await assert.rejects(store.recordings.create(start(name)), refused);
      if (name) await assert.rejects(store.recordings.list({ session: name, limit: 1 }), refused);
    });

    it(`cannot be named as a recording: ${JSON.stringify(name.slice(0, 12))}`, async () => {
      await using store = await Store.open();
      await (await store.recordings.create(start('s1'))).close();
      await assert.rejects(store.recordings.read('s1', name, 'output'), { code: 'not_found' });
    });

    it(`cannot be named as a file: ${JSON.stringify(name.slice(0, 12))}`, async () => {
      await using store = await Store.open();
      await (await store.recordings.create(start('s1'))).close();
      await assert.rejects(store.recordings.read('s1', '1', name), { code: 'not_found' });
    });
  }

  for (const file of ['output', 'metadata.json']) {
    it(`are not read through a link in the place of ${file}`, async () => {
      await using store = await Store.open();
      await (await store.recordings.create(start('s1'))).close();
      const elsewhere = `${store.directory}/elsewhere`;
      await copyFile(store.in('s1', file), elsewhere);
      await rm(store.in('s1', file));
      await symlink(elsewhere, store.in('s1', file));
      await assert.rejects(store.recordings.read('s1', '1', file), { code: 'not_found' });
    });
  }

  it('leave the files of a recording readable', async () => {
    await using store = await Store.open();
    const made = await store.recordings.create(start('s1'));
    await made.write('out', Buffer.from('hello'));
    await made.close();
    const output = await buffer(await store.recordings.read('s1', '1', 'output'));
    assert.equal(output.subarray(output.indexOf(10) + 1).toString(), 'hello');
  });
});
