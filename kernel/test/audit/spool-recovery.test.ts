import assert from 'node:assert/strict';
import { appendFile, readdir, readFile, stat, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Folder, openSpool, range } from './support.js';
import { put, readAll, segments, sequences, verbs } from './spool-support.js';

describe('a spool after a crash', () => {
  /** A spool with eleven records, and the name of its only segment. */
  async function filled(folder: Folder): Promise<string> {
    await using spool = await openSpool(folder.path);
    for (const at of range(1, 10)) put(spool, `verb-${at}`);
    return join(folder.path, (await segments(folder))[0] ?? '');
  }

  it('cuts a record whose writing was cut short, at whatever byte, and reuses its number', async () => {
    await using folder = await Folder.make();
    const path = await filled(folder);
    const bytes = await readFile(path);
    const last = bytes.lastIndexOf(0x0a, bytes.length - 2) + 1;
    for (let cut = last; cut < bytes.length; cut += 23) {
      await writeFile(path, bytes.subarray(0, cut));
      await using spool = await openSpool(folder.path);
      assert.equal(put(spool, 'after'), 11, `cut at ${cut}`);
      assert.deepEqual(sequences(await readAll(spool)), range(1, 11));
    }
    assert.ok(!(await readdir(folder.path)).some((name) => name.endsWith('.quarantine')));
  });

  it('cuts the zeroes that a file system left', async () => {
    await using folder = await Folder.make();
    const path = await filled(folder);
    await truncate(path, (await stat(path)).size + 4096);
    await using spool = await openSpool(folder.path);
    assert.equal(put(spool, 'after'), 12);
    assert.deepEqual(sequences(await readAll(spool)), range(1, 12));
  });

  it('moves other bytes at the end to quarantine, says so, and does not reuse the numbers they may have had', async () => {
    await using folder = await Folder.make();
    const path = await filled(folder);
    const size = (await stat(path)).size;
    await appendFile(path, 'garbage\nand more\n');
    await using spool = await openSpool(folder.path);
    assert.equal(put(spool, 'after'), 15);
    const records = await readAll(spool);
    assert.deepEqual(sequences(records), [...range(1, 11), 14, 15]);
    const note = records.find(({ event }) => event.type === 'audit.quarantined');
    assert.deepEqual(note?.event.fields, {
      file: `0000000000000001.seg-${size}.quarantine`,
      bytes: 17,
      after: 11,
      before: 14,
    });
    assert.equal(await readFile(`${path}-${size}.quarantine`, 'utf8'), 'garbage\nand more\n');
  });

  it('keeps a damaged record in the middle in quarantine, says so once, and delivers all others', async () => {
    await using folder = await Folder.make();
    const path = await filled(folder);
    const bytes = await readFile(path);
    const at = bytes.indexOf('verb-5');
    bytes.write('VERB', at);
    await writeFile(path, bytes);
    for (const round of range(1, 3)) {
      await using spool = await openSpool(folder.path);
      const records = await readAll(spool);
      // The note is written when the damage is met, and is itself read with what follows.
      assert.deepEqual(sequences(records), [...range(1, 5), ...range(7, 12)], `round ${round}`);
      const notes = records.filter(({ event }) => event.type === 'audit.quarantined');
      assert.deepEqual(
        notes.map(({ event }) => [event.fields['after'], event.fields['before']]),
        [[5, 7]],
      );
      assert.ok(verbs(records).includes('verb-10'));
    }
    const kept = (await readdir(folder.path)).filter((name) => name.endsWith('.quarantine'));
    assert.equal(kept.length, 1);
    assert.match(await readFile(folder.in(kept[0] ?? ''), 'utf8'), /VERB-5/);
  });

  it('treats a whole record that is no event like a damaged one', async () => {
    await using folder = await Folder.make();
    const path = await filled(folder);
    const bytes = await readFile(path);
    const lines = bytes.toString().split('\n');
    lines.splice(4, 0, '00000002 0d4cbb29 []');
    await writeFile(path, lines.join('\n'));
    await using spool = await openSpool(folder.path);
    assert.deepEqual(sequences(await readAll(spool)).slice(0, 11), range(1, 11));
  });

  it('goes on in an older segment that ends in a torn record', async () => {
    await using folder = await Folder.make();
    {
      await using spool = await openSpool(folder.path, { segmentBytes: 1500 });
      for (const at of range(1, 20)) put(spool, `${at}`);
    }
    const [name = ''] = await segments(folder);
    await appendFile(folder.in(name), '000000');
    await using spool = await openSpool(folder.path, { segmentBytes: 1500 });
    assert.deepEqual(sequences(await readAll(spool)), range(1, 21));
  });
});
