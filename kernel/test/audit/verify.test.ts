import assert from 'node:assert/strict';
import { appendFile, copyFile, readdir, readFile, rm, truncate, writeFile } from 'node:fs/promises';
import { join, relative } from 'node:path';
import { bundledEntry } from '../../src/audit/tlog/index.js';
import { isFull, keysFor, origin, range, Stream } from './support.js';
import { found, kinds, Specimen } from './verify-support.js';

const swap = (lines: readonly string[], left: number, right: number): string[] =>
  lines.with(left, lines[right] ?? '').with(right, lines[left] ?? '');

describe('verifying an untouched log', () => {
  it('finds nothing wrong, and says what there is', async () => {
    await using log = await Specimen.usual();
    const seen: number[] = [];
    const report = await log.verify({ since: [...log.kept.values()], onProgress: (checked) => seen.push(checked) });
    assert.deepEqual([report.ok, report.size, report.origin], [true, 310, origin]);
    assert.deepEqual([report.problems, report.notices, report.omitted], [[], [], 0]);
    assert.deepEqual(report.signers, [origin]);
    assert.deepEqual(
      report.agents.map(({ agent, events, ranges }) => [agent, events, ranges]),
      [
        ['agent-1', 155, [[1, 155]]],
        ['agent-2', 155, [[1, 155]]],
      ],
    );
    assert.deepEqual(seen, [256, 310]);
  });

  it('works on one without events', async () => {
    await using log = await Specimen.of([]);
    assert.deepEqual((await log.verify()).ok, true);
  });

  it('can be called off', async () => {
    await using log = await Specimen.usual();
    await assert.rejects(log.verify({ signal: AbortSignal.abort() }));
  });
});

describe('one flipped bit', () => {
  /** Every file that is evidence: all but the cache and the lock. */
  async function evidence(log: Specimen): Promise<string[]> {
    const items = await readdir(log.folder.path, { recursive: true, withFileTypes: true });
    const paths = items.filter((item) => item.isFile()).map((item) => join(item.parentPath, item.name));
    return paths.filter((path) => !relative(log.folder.path, path).startsWith('cache')).sort();
  }

  it('is found wherever it is: in the journal, a bundle, a tile of any level, or the checkpoint', async function () {
    this.timeout(isFull ? 600_000 : 60_000);
    await using log = await Specimen.usual();
    const paths = await evidence(log);
    assert.ok(paths.some((path) => path.includes('tile/1/')) && paths.some((path) => path.endsWith('.p/54')));
    for (const path of paths) {
      const bytes = await readFile(path);
      const step = Math.max(1, Math.floor((bytes.length * 8) / (isFull ? 400 : 12)));
      for (let bit = path.length % step; bit < bytes.length * 8; bit += step) {
        const flipped = Buffer.from(bytes);
        flipped.writeUInt8(flipped.readUInt8(bit >> 3) ^ (1 << (bit & 7)), bit >> 3);
        await writeFile(path, flipped);
        const report = await log.verify();
        assert.equal(report.ok, false, `bit ${bit} of ${relative(log.folder.path, path)}`);
      }
      await writeFile(path, bytes);
    }
    assert.equal((await log.verify()).ok, true);
  });

  it('in the journal is one problem, at its place', async () => {
    await using log = await Specimen.usual();
    const lines = await log.lines();
    await log.write(lines.with(200, (lines[200] ?? '').replace('alice', 'alicf')));
    assert.deepEqual(found(await log.verify()), ['journal_changed at entry 200']);
  });

  it('in a bundle is one problem, at its place: journal and tile outvote it', async () => {
    await using log = await Specimen.usual();
    const bundle = await readFile(log.path('tile/entries/000'));
    bundle.write('alicf', bundle.indexOf('alice', 20_000));
    await writeFile(log.path('tile/entries/000'), bundle);
    const report = await log.verify();
    assert.deepEqual(kinds(report).filter((kind) => kind === 'bundle_changed').length, 1);
    assert.ok(!kinds(report).includes('root_mismatch'));
  });

  it('in a tile is one problem, at its place: journal and bundle outvote it', async () => {
    await using log = await Specimen.usual();
    const tile = await readFile(log.path('tile/0/000'));
    tile.writeUInt8(tile.readUInt8(7 * 32) ^ 1, 7 * 32);
    await writeFile(log.path('tile/0/000'), tile);
    assert.deepEqual(found(await log.verify()), ['tile_changed at entry 7']);
  });

  it('in an upper tile is one problem, at its place', async () => {
    await using log = await Specimen.usual();
    const tile = await readFile(log.path('tile/1/000.p/1'));
    tile.writeUInt8(tile.readUInt8(0) ^ 1, 0);
    await writeFile(log.path('tile/1/000.p/1'), tile);
    assert.deepEqual(found(await log.verify()), ['tile_changed at tile/1/000.p/1']);
  });
});

describe('a record', () => {
  it('dropped from the journal is named', async () => {
    await using log = await Specimen.usual();
    const lines = await log.lines();
    await log.write(lines.toSpliced(123, 1));
    assert.deepEqual(found(await log.verify()), ['journal_dropped at entry 123']);
    await log.write(lines.toSpliced(250, 12));
    assert.equal((await log.verify()).ok, false);
    await log.write(lines.toSpliced(40, 12));
    assert.deepEqual(found(await log.verify()), ['journal_dropped at entry 40']);
    await log.write(lines.slice(0, 309));
    assert.deepEqual(found(await log.verify()), ['journal_missing at entry 309']);
    await log.write(lines.slice(1));
    assert.deepEqual(found(await log.verify()), ['journal_dropped at entry 0']);
  });

  it('reordered in the journal is named', async () => {
    await using log = await Specimen.usual();
    const lines = await log.lines();
    await log.write(swap(lines, 77, 78));
    assert.deepEqual(found(await log.verify()), ['journal_reordered at entry 77']);
    await log.write(swap(lines, 20, 90));
    assert.equal((await log.verify()).ok, false);
    await log.write(swap(lines, 255, 256));
    assert.equal((await log.verify()).ok, false);
  });

  it('duplicated in the journal is named', async () => {
    await using log = await Specimen.usual();
    const lines = await log.lines();
    for (const at of [1, 100, 256, 257, 309]) {
      await log.write(lines.toSpliced(at, 0, lines[at - 1] ?? ''));
      assert.deepEqual(found(await log.verify()), [`journal_duplicated at entry ${at}`]);
    }
  });

  it('inserted into the journal is named', async () => {
    await using log = await Specimen.usual();
    const lines = await log.lines();
    const [forged] = new Stream('agent-3').next('forged');
    await log.write(lines.toSpliced(50, 0, forged?.line.toString() ?? ''));
    assert.deepEqual(found(await log.verify()), ['journal_inserted at entry 50']);
  });

  it('changed in the journal, its bundle and its tile alike does not fit the signed root', async () => {
    await using log = await Specimen.usual();
    const [signed] = [await readFile(log.path('checkpoint'))];
    const lines = await log.lines();
    await log.resign(lines.with(10, (lines[10] ?? '').replace('alice', 'mallo')));
    await writeFile(log.path('checkpoint'), signed);
    assert.deepEqual(kinds(await log.verify()), ['root_mismatch']);
  });

  it('dropped everywhere is missed by the root, and the gap in its stream is named', async () => {
    await using log = await Specimen.usual();
    const signed = await readFile(log.path('checkpoint'));
    const lines = await log.lines();
    await log.resign(lines.toSpliced(20, 1));
    await writeFile(log.path('checkpoint'), signed);
    const report = await log.verify();
    assert.ok(kinds(report).includes('truncated'));
    assert.deepEqual(
      report.problems.filter(({ kind }) => kind === 'gap').map(({ at, detail }) => [at, detail]),
      [['agent-1 0123456789abcdef', 'event 11 is missing']],
    );
  });

  it('dropped by whoever holds the signing key still leaves its gap', async () => {
    await using log = await Specimen.usual();
    const lines = await log.lines();
    await log.resign(lines.toSpliced(20, 1));
    assert.deepEqual(found(await log.verify()), ['gap at agent-1 0123456789abcdef']);
  });

  it('duplicated by whoever holds the signing key is named', async () => {
    await using log = await Specimen.usual();
    const lines = await log.lines();
    await log.resign(lines.toSpliced(20, 0, lines[20] ?? ''));
    assert.deepEqual(found(await log.verify()), ['duplicate at entry 21']);
  });

  it('reordered by whoever holds the signing key is named, and is a fork for whoever kept a checkpoint', async () => {
    await using log = await Specimen.usual();
    const lines = await log.lines();
    await log.resign(swap(lines, 20, 22));
    assert.deepEqual(found(await log.verify()), ['reordered at entry 22']);
    const report = await log.verify({ since: [...log.kept.values()] });
    assert.deepEqual(kinds(report).toSorted(), ['forked', 'forked', 'forked', 'reordered']);
  });
});

describe('files', () => {
  for (const [name, path, kind] of [
    ['a lost tile', 'tile/0/000', 'tile_missing'],
    ['a lost upper tile', 'tile/1/000.p/1', 'tile_missing'],
    ['a lost bundle', 'tile/entries/000', 'tile_missing'],
    ['a lost partial bundle', 'tile/entries/001.p/54', 'tile_missing'],
    ['a lost checkpoint', 'checkpoint', 'checkpoint_missing'],
    ['a lost journal', 'events/000000000.jsonl', 'journal_missing'],
  ] as const)
    it(`reports ${name}`, async () => {
      await using log = await Specimen.usual();
      await rm(log.path(path));
      assert.ok(kinds(await log.verify()).includes(kind));
    });

  it('of every kind cut short at the end are reported', async () => {
    await using log = await Specimen.usual();
    for (const path of [
      'tile/0/000',
      'tile/entries/000',
      'tile/entries/001.p/54',
      'events/000000000.jsonl',
      'checkpoint',
    ]) {
      const bytes = await readFile(log.path(path));
      await truncate(log.path(path), bytes.length - 1);
      assert.equal((await log.verify()).ok, false, path);
      await writeFile(log.path(path), bytes);
    }
  });

  it('of every kind with more at the end are reported', async () => {
    await using log = await Specimen.usual();
    for (const path of [
      'tile/0/000',
      'tile/0/001.p/54',
      'tile/entries/000',
      'tile/entries/001.p/54',
      'tile/1/000.p/1',
    ]) {
      const bytes = await readFile(log.path(path));
      await appendFile(log.path(path), path.includes('entries') ? bundledEntry(Buffer.from('x')) : Buffer.alloc(32));
      assert.equal((await log.verify()).ok, false, path);
      await writeFile(log.path(path), bytes);
    }
  });

  it('of earlier sizes are compared as well', async () => {
    await using log = await Specimen.usual();
    await writeFile(log.path('tile/0/001.p/44'), Buffer.alloc(44 * 32));
    assert.deepEqual(found(await log.verify()), ['tile_changed at tile/0/001.p/44']);
  });

  it('that no log writes are noticed', async () => {
    await using log = await Specimen.usual();
    await writeFile(log.path('tile/0/strange'), '');
    const report = await log.verify();
    assert.deepEqual([report.ok, report.notices.map(({ kind }) => kind)], [true, ['foreign_file']]);
  });

  it('of a log that is gone but for its checkpoint are missed from the first entry on', async () => {
    await using log = await Specimen.usual();
    await rm(log.path('tile'), { recursive: true });
    await rm(log.path('events'), { recursive: true });
    assert.ok(found(await log.verify()).includes('truncated at entry 0'));
  });

  it('that lie about everything give a bounded report', async () => {
    await using log = await Specimen.usual();
    await log.write(range(1, 310).map((at) => `line ${at}`));
    await writeFile(log.path('tile/0/000'), Buffer.alloc(8192));
    const report = await log.verify({ maxProblems: 5 });
    assert.equal(report.problems.length, 5);
    assert.ok(report.omitted > 200);
    assert.equal(report.ok, false);
  });
});

describe('a checkpoint', () => {
  it('forged with another key is not believed, also where it carries the right name', async () => {
    await using log = await Specimen.usual();
    const forger = keysFor();
    await using forged = await Specimen.usual(forger);
    for (const name of ['checkpoint']) await copyFile(forged.path(name), log.path(name));
    assert.deepEqual(kinds(await log.verify()), ['checkpoint_signature', 'root_mismatch']);
    assert.equal((await forged.verify({ keys: [log.keys.verifier] })).ok, false);
  });

  it('of another log is reported', async () => {
    await using log = await Specimen.usual();
    assert.deepEqual(kinds(await log.verify({ origin: 'postern.example.com/audit/auth-2' })), ['checkpoint_origin']);
  });

  for (const content of ['', 'x', '\n\n\n', `${'x'.repeat(300_000)}\n\n`])
    it(`that is ${content.length} bytes of something else is reported`, async () => {
      await using log = await Specimen.usual();
      await writeFile(log.path('checkpoint'), content);
      assert.deepEqual(kinds(await log.verify()), ['checkpoint_malformed']);
    });
});
