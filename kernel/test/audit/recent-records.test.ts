import assert from 'node:assert/strict';
import { copyFile } from 'node:fs/promises';
import { put, readAll, segments, sequences } from './spool-support.js';
import { draft, Folder, openSpool, range, sealer } from './support.js';

describe('the newest records of a spool', () => {
  it('are read from memory, byte for byte those on the disk', async () => {
    await using folder = await Folder.make();
    await using spool = await openSpool(folder.path);
    for (const at of range(1, 50)) put(spool, `verb-${at}`);
    const fromMemory = await readAll(spool);
    assert.deepEqual(sequences(fromMemory), range(1, 51));
    // The same files in another place: a spool that has just been opened has nothing in memory.
    await using copy = await Folder.make();
    for (const name of [...(await segments(folder)), 'stream.json']) await copyFile(folder.in(name), copy.in(name));
    await using reopened = await openSpool(copy.path);
    assert.deepEqual(
      (await readAll(reopened)).map(({ line, event }) => [line.toString(), event]),
      fromMemory.map(({ line, event }) => [line.toString(), event]),
    );
  });

  it('are read from the disk where there are more than memory holds, and then from memory again', async () => {
    await using folder = await Folder.make();
    await using spool = await openSpool(folder.path, { segmentBytes: 300_000 });
    const write = async (count: number): Promise<void> => {
      const key = 'x'.repeat(20_000);
      for (let at = 0; at < count; at += 1)
        await spool.append(sealer().seal(draft('put', { fields: { verb: 'put', key } })));
    };
    await using reader = spool.reader();
    const seen: number[] = [];
    const read = async (): Promise<void> => {
      await spool.flush();
      for (let batch = await reader.read({ events: 16, bytes: 1e6 }); batch.length > 0;) {
        seen.push(...sequences(batch));
        spool.acknowledge(seen.at(-1) ?? 0);
        batch = await reader.read({ events: 16, bytes: 1e6 });
      }
    };
    for (const count of [3, 250, 3, 250, 3]) {
      await write(count);
      await read();
    }
    assert.deepEqual(seen, range(1, 510));
  });
});
