import assert from 'node:assert/strict';
import { readFile, stat } from 'node:fs/promises';
import { randomBytes } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { smallDisk } from '../../../test/support/small-disk.js';
import { LocalRecordings } from '../../src/recordings/index.js';
import { AppendFile } from '../../src/recordings/append-file.js';
import { start, Store } from './support.js';

const unavailable = { code: 'audit_unavailable' };

describe('a full disk', () => {
  for (const format of ['terminal', 'lines', 'packets'] as const) {
    it(`fails a ${format} recording, and every call after that`, async function () {
      await using store = await Store.open();
      await using _ = smallDisk(this, store.directory, '64k');
      const recordings = await LocalRecordings.open(store.directory);
      const made = await recordings.create(start('s1', format));
      const fill = async (): Promise<void> => {
        for (let index = 0; index < 500; index += 1) {
          await made.write('out', randomBytes(4000));
          await sleep(2);
        }
      };
      await assert.rejects(fill(), unavailable);
      assert.throws(() => void made.write('out', Buffer.from('x')), unavailable);
      await assert.rejects(made.complete(), unavailable);
      await assert.rejects(recordings.create(start('s2', format)), unavailable);
      assert.deepEqual(await recordings.list({ session: 's2', limit: 5 }), []);
    });
  }

  it('leaves no timing of output that is not there', async function () {
    await using store = await Store.open();
    await using _ = smallDisk(this, store.directory, '64k');
    const made = await (await LocalRecordings.open(store.directory)).create(start('s1'));
    const fill = async (): Promise<void> => {
      for (let index = 0; index < 500; index += 1) {
        await made.write('out', Buffer.alloc(4000, 'A'));
        await sleep(2);
      }
    };
    await assert.rejects(fill(), unavailable);
    await assert.rejects(made.complete(), unavailable);
    const output = await readFile(store.in('s1', 'output'));
    const timing = await readFile(store.in('s1', 'timing'), 'utf8');
    const told = timing.split('\n').reduce((sum, line) => sum + Number(line.split(' ')[1] ?? 0), 0);
    assert.ok(told <= output.length - output.indexOf(10) - 1, `${told} of ${output.length}`);
  });
});

describe('an append-only file', () => {
  it('holds while more than a megabyte waits, and no longer than that', async () => {
    await using store = await Store.open();
    const file = await AppendFile.create(`${store.directory}/file`);
    const piece = Buffer.alloc(100_000, 'x');
    const holds = Array.from({ length: 30 }, () => file.append(piece));
    assert.equal(holds[0], undefined);
    const first = holds.findIndex((hold) => hold !== undefined);
    assert.ok(first === 10, `the first that holds is ${first}`);
    assert.ok(holds.slice(first).every((hold) => hold instanceof Promise));
    for (const hold of holds) await hold;
    assert.equal(file.append(Buffer.from('y')), undefined);
    await file.close();
    assert.equal((await stat(`${store.directory}/file`)).size, 3_000_001);
    assert.equal(file.length, 3_000_001);
  });

  it('keeps the order of texts and bytes', async () => {
    await using store = await Store.open();
    const file = await AppendFile.create(`${store.directory}/file`);
    for (let index = 0; index < 1000; index += 1) await file.append(index % 3 ? `${index};` : Buffer.from(`${index};`));
    await file.close();
    const wanted = Array.from({ length: 1000 }, (_, index) => `${index};`).join('');
    assert.equal(await readFile(`${store.directory}/file`, 'utf8'), wanted);
  });

  it('does not write over a file that is there already', async () => {
    await using store = await Store.open();
    await (await AppendFile.create(`${store.directory}/file`)).close();
    await assert.rejects(AppendFile.create(`${store.directory}/file`), { code: 'EEXIST' });
  });
});
