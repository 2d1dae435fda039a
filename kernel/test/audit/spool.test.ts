import assert from 'node:assert/strict';
import { copyFile, readdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { codeIs, draft, Folder, openSpool, range, sealer } from './support.js';
import { put, readAll, segments, sequences } from './spool-support.js';

const isSegment = (name: string): boolean => name.endsWith('.seg');

describe('a spool', () => {
  it('says first that its stream has begun, and numbers from 1', async () => {
    await using folder = await Folder.make();
    await using spool = await openSpool(folder.path);
    assert.equal(put(spool, 'a'), 2);
    assert.equal(put(spool, 'b'), 3);
    const records = await readAll(spool);
    assert.deepEqual(sequences(records), [1, 2, 3]);
    assert.equal(records[0]?.event.type, 'audit.stream_started');
    assert.equal(records[1]?.event.agent, 'agent-1');
    assert.equal(records[1].event.stream, records[0].event.stream);
  });

  it('goes on without a gap in the same stream after a restart', async () => {
    await using folder = await Folder.make();
    const ids: string[] = [];
    for (const round of range(1, 4)) {
      await using spool = await openSpool(folder.path);
      put(spool, `${round}`);
      ids.push(...new Set((await readAll(spool)).map(({ event }) => event.stream)));
    }
    await using spool = await openSpool(folder.path);
    assert.deepEqual(sequences(await readAll(spool)), [1, 2, 3, 4, 5]);
    assert.equal(new Set(ids).size, 1);
  });

  it('begins another stream where it was lost', async () => {
    await using one = await Folder.make();
    await using two = await Folder.make();
    await using first = await openSpool(one.path);
    await using second = await openSpool(two.path);
    const [before] = await readAll(first);
    const [after] = await readAll(second);
    assert.notEqual(before?.event.stream, after?.event.stream);
  });

  it('is for its owner’s eyes only', async () => {
    await using folder = await Folder.make();
    await using spool = await openSpool(folder.in('deep', 'spool'));
    put(spool, 'a');
    assert.equal((await stat(folder.in('deep', 'spool'))).mode & 0o777, 0o700);
    for (const name of await readdir(folder.in('deep', 'spool')))
      assert.equal((await stat(folder.in('deep', 'spool', name))).mode & 0o777, 0o600, name);
  });

  for (const [what, take] of [
    ['is removed', (path: string) => rm(path, { recursive: true })],
    ['is moved away', (path: string) => rename(path, `${path}-away`)],
    ['loses the file that is written', async (path: string) => rm(`${path}/${(await readdir(path)).find(isSegment)}`)],
  ] as const)
    it(`takes no event once its folder ${what}`, async () => {
      await using folder = await Folder.make();
      const path = folder.in('spool');
      await using spool = await openSpool(path);
      put(spool, 'a');
      await spool.flush();
      await take(path);
      assert.throws(() => put(spool, 'b'), codeIs('audit_unavailable'));
      assert.throws(() => put(spool, 'c'), codeIs('audit_unavailable'));
      assert.equal(spool.failure?.code, 'audit_unavailable');
    });

  it('calls nothing durable whose file is removed before it was synced', async () => {
    await using folder = await Folder.make();
    const path = folder.in('spool');
    await using spool = await openSpool(path, { syncIntervalMs: 60_000 });
    await spool.flush();
    put(spool, 'a');
    await rm(path, { recursive: true });
    await assert.rejects(spool.flush(), codeIs('audit_unavailable'));
    assert.equal(spool.durable, 1);
    assert.throws(() => put(spool, 'b'), codeIs('audit_unavailable'));
  });

  it('belongs to one process at a time', async () => {
    await using folder = await Folder.make();
    {
      await using _spool = await openSpool(folder.path);
      await assert.rejects(openSpool(folder.path), codeIs('conflict'));
    }
    await using _again = await openSpool(folder.path);
  });

  it('takes over the lock of a process that is gone, also where its id is in use again', async () => {
    await using folder = await Folder.make();
    for (const owner of ['{"pid":4194000,"started":"x 1"}', `{"pid":${process.pid},"started":"x 1"}`, 'nonsense']) {
      await writeFile(folder.in('lock'), owner);
      await using _spool = await openSpool(folder.path);
    }
  });

  it('is not opened for another agent, and not without its description', async () => {
    await using folder = await Folder.make();
    {
      await using _spool = await openSpool(folder.path);
    }
    await assert.rejects(openSpool(folder.path, {}, 'agent-2'), codeIs('invalid_config'));
    await writeFile(folder.in('stream.json'), '{}');
    await assert.rejects(openSpool(folder.path), codeIs('invalid_config'));
    await writeFile(folder.in('stream.json'), '');
    await assert.rejects(openSpool(folder.path), codeIs('invalid_config'));
  });

  it('has written an event when append returns', async () => {
    await using folder = await Folder.make();
    await using spool = await openSpool(folder.path);
    put(spool, 'already there');
    const [name = ''] = await segments(folder);
    assert.match(await readFile(folder.in(name), 'utf8'), /already there/);
  });

  it('hands out only what survives power loss', async () => {
    await using folder = await Folder.make();
    await using spool = await openSpool(folder.path, { syncIntervalMs: 60_000 });
    await spool.flush();
    put(spool, 'a');
    await using reader = spool.reader();
    assert.equal(spool.durable, 1);
    assert.deepEqual(sequences(await reader.read({ events: 10, bytes: 1e6 })), [1]);
    assert.deepEqual(await reader.read({ events: 10, bytes: 1e6 }), []);
    await spool.flush();
    assert.deepEqual(sequences(await reader.read({ events: 10, bytes: 1e6 })), [2]);
  });

  it('syncs by itself in time', async () => {
    await using folder = await Folder.make();
    await using spool = await openSpool(folder.path, { syncIntervalMs: 10 });
    const position = put(spool, 'a');
    while (spool.durable < position) await spool.changed.wait(AbortSignal.timeout(5000));
  });

  it('writes the parts of a long event all at once', async () => {
    await using folder = await Folder.make();
    await using spool = await openSpool(folder.path, { segmentBytes: 100_000 });
    const events = sealer().seal(draft('put', { fields: { verb: 'put', key: 'x'.repeat(300_000) } }));
    assert.equal(await spool.append(events), 1 + events.length);
    const records = await readAll(spool);
    assert.equal(records.length, 1 + events.length);
    assert.deepEqual(
      records.slice(1).map(({ event }) => event.part?.number),
      range(1, events.length),
    );
  });

  it('gives batches of at most so many events, and goes on behind them', async () => {
    await using folder = await Folder.make();
    await using spool = await openSpool(folder.path, { segmentBytes: 4000 });
    for (const at of range(1, 100)) put(spool, `${at}`);
    await spool.flush();
    await using reader = spool.reader();
    const sizes: number[] = [];
    const seen: number[] = [];
    for (let batch = await reader.read({ events: 7, bytes: 1e6 }); batch.length > 0;) {
      sizes.push(batch.length);
      seen.push(...sequences(batch));
      batch = await reader.read({ events: 7, bytes: 1e6 });
    }
    assert.deepEqual(seen, range(1, 101));
    assert.ok(sizes.every((size) => size <= 7));
  });
});

describe('the segments of a spool', () => {
  it('are removed once they were acknowledged, and not before', async () => {
    await using folder = await Folder.make();
    await using spool = await openSpool(folder.path, { segmentBytes: 2000 });
    for (const at of range(1, 50)) put(spool, `${at}`);
    await spool.flush();
    const before = await segments(folder);
    assert.ok(before.length > 5);
    spool.acknowledge(4);
    const first = Number(before[1]?.slice(0, 16));
    assert.equal((await segments(folder)).length, before.length);
    spool.acknowledge(first - 1);
    assert.deepEqual(await segments(folder), before.slice(1));
    spool.acknowledge(51);
    assert.equal((await segments(folder)).length, 1);
    assert.deepEqual(spool.backlog, { events: 0, bytes: spool.backlog.bytes, held: 0 });
  });

  it('keep their numbers when everything was acknowledged before a restart', async () => {
    await using folder = await Folder.make();
    {
      await using spool = await openSpool(folder.path, { segmentBytes: 600 });
      for (const at of range(1, 20)) put(spool, `${at}`);
      await spool.flush();
      spool.acknowledge(21);
    }
    await using spool = await openSpool(folder.path);
    assert.equal(spool.backlog.events, 0);
    assert.equal(put(spool, 'next'), 22);
    assert.deepEqual(sequences(await readAll(spool)), [22]);
  });

  it('cannot be acknowledged before they were durable', async () => {
    await using folder = await Folder.make();
    await using spool = await openSpool(folder.path, { syncIntervalMs: 60_000 });
    put(spool, 'a');
    assert.throws(() => spool.acknowledge(2), codeIs('internal'));
  });

  it('are delivered again where the cursor is lost, damaged or older', async () => {
    await using folder = await Folder.make();
    {
      await using spool = await openSpool(folder.path);
      for (const at of range(1, 9)) put(spool, `${at}`);
      await spool.flush();
      spool.acknowledge(5);
    }
    for (const [content, from] of [
      [await readFile(folder.in('cursor')), 6],
      [Buffer.from('0000000000000007 00000000\n'), 1],
      [Buffer.from('9'), 1],
      [Buffer.alloc(0), 1],
    ] as const) {
      await writeFile(folder.in('cursor'), content);
      await using spool = await openSpool(folder.path);
      assert.deepEqual(sequences(await readAll(spool)), range(from, 10));
    }
  });

  it('that are gone do not make numbers be used twice', async () => {
    await using folder = await Folder.make();
    let name = '';
    {
      await using spool = await openSpool(folder.path);
      [name = ''] = await segments(folder);
      await copyFile(folder.in(name), folder.in('copy'));
      for (const at of range(1, 9)) put(spool, `${at}`);
      await spool.flush();
      spool.acknowledge(10);
    }
    await copyFile(folder.in('copy'), folder.in(name));
    await using spool = await openSpool(folder.path);
    assert.equal(put(spool, 'new'), 11);
  });
});
