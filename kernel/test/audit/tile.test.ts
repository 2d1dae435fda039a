import assert from 'node:assert/strict';
import { mkdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import fc from 'fast-check';
import {
  bundleEntries,
  bundledEntry,
  emptyRoot,
  extendsTree,
  Frontier,
  includes,
  leafHash,
  parseTilePath,
  proveConsistency,
  proveInclusion,
  readEntries,
  readHashes,
  tilePath,
  tileSource,
  TileWriter,
  treeRoot,
  widthAt,
  type TileFile,
} from '../../src/audit/tlog/index.js';
import { codeIs, Folder, isFull } from './support.js';

const entry = (index: number): Buffer => Buffer.from(`entry ${index}`);

async function save(directory: string, files: readonly TileFile[]): Promise<void> {
  for (const { path, bytes } of files) {
    await mkdir(dirname(join(directory, path)), { recursive: true });
    await writeFile(join(directory, path), bytes);
  }
}

/** Writes the tiles of a tree of this size and returns its root as it is defined. */
async function plant(directory: string, size: number): Promise<Buffer> {
  const writer = new TileWriter();
  const frontier = new Frontier();
  for (let index = 0; index < size; index += 1) {
    writer.push(entry(index));
    frontier.push(leafHash(entry(index)));
  }
  await save(directory, [...writer.takeFull(), ...writer.partials()]);
  assert.deepEqual(writer.head.root, frontier.root());
  return frontier.root();
}

describe('tile paths', () => {
  for (const [path, name] of [
    ['tile/0/000', { level: 0, index: 0, width: 256 }],
    ['tile/0/x001/x234/067', { level: 0, index: 1234067, width: 256 }],
    ['tile/63/x999/999.p/255', { level: 63, index: 999999, width: 255 }],
    ['tile/entries/012.p/1', { level: 'entries', index: 12, width: 1 }],
    ['tile/entries/x012/000', { level: 'entries', index: 12000, width: 256 }],
  ] as const)
    it(`${path} is written and read`, () => {
      assert.equal(tilePath(name), path);
      assert.deepEqual(parseTilePath(path), name);
    });

  for (const path of [
    'tile/0/0',
    'tile/00/000',
    'tile/64/000',
    'tile/0/x000/001',
    'tile/0/001/002',
    'tile/0/000.p/0',
    'tile/0/000.p/256',
    'tile/0/000.p/01',
    'tile/entries/../000',
    'tile/x/000',
    'checkpoint',
  ])
    it(`${path} names nothing`, () => {
      assert.equal(parseTilePath(path), undefined);
    });
});

describe('an entry bundle', () => {
  it('gives back the entries that went in, of any length up to 65,535 bytes', () => {
    fc.assert(
      fc.property(fc.array(fc.uint8Array({ maxLength: 300 }), { minLength: 0, maxLength: 256 }), (entries) => {
        const buffers = entries.map((bytes) => Buffer.from(bytes));
        assert.deepEqual(bundleEntries(Buffer.concat(buffers.map(bundledEntry))), buffers);
      }),
    );
    const longest = Buffer.alloc(65_535, 1);
    assert.deepEqual(bundleEntries(bundledEntry(longest)), [longest]);
    assert.throws(() => bundledEntry(Buffer.alloc(65_536)), codeIs('limit_exceeded'));
  });

  it('that ends inside an entry, or holds too many, is refused', () => {
    const bundle = Buffer.concat([bundledEntry(entry(1)), bundledEntry(entry(2))]);
    for (let length = 1; length < bundle.length; length += 1) {
      if (length === bundledEntry(entry(1)).length) continue;
      assert.throws(() => bundleEntries(bundle.subarray(0, length)), codeIs('protocol_violation'), `${length} bytes`);
    }
    const many = Buffer.concat(Array.from({ length: 257 }, () => bundledEntry(entry(1))));
    assert.throws(() => bundleEntries(many), codeIs('protocol_violation'));
  });
});

describe('the tiles of a tree', () => {
  it('of 70,000 entries are those that the specification counts', () => {
    assert.equal(widthAt(0, 273, 70_000), 112);
    assert.equal(widthAt(0, 272, 70_000), 256);
    assert.equal(widthAt(1, 0, 70_000), 256);
    assert.equal(widthAt(1, 1, 70_000), 17);
    assert.equal(widthAt(2, 0, 70_000), 1);
    assert.equal(widthAt('entries', 274, 70_000), 0);
    const writer = new TileWriter();
    for (let index = 0; index < 70_000; index += 1) writer.push(entry(index));
    const full = writer.takeFull().map(({ path }) => path);
    assert.equal(full.filter((path) => path.startsWith('tile/0/')).length, 273);
    assert.equal(full.filter((path) => path.startsWith('tile/entries/')).length, 273);
    assert.equal(full.filter((path) => path.startsWith('tile/1/')).length, 1);
    assert.deepEqual(
      writer.partials().map(({ path }) => path),
      ['tile/0/273.p/112', 'tile/1/001.p/17', 'tile/2/000.p/1', 'tile/entries/273.p/112'],
    );
  });

  it('of 256 entries are one full tile and a partial one above it', () => {
    const writer = new TileWriter();
    for (let index = 0; index < 256; index += 1) writer.push(entry(index));
    assert.deepEqual(
      writer.takeFull().map(({ path, bytes }) => [path, bytes.length]),
      [
        ['tile/entries/000', 256 * 2 + 2194],
        ['tile/0/000', 8192],
      ],
    );
    assert.deepEqual(
      writer.partials().map(({ path }) => path),
      ['tile/1/000.p/1'],
    );
  });

  for (const size of [1, 2, 255, 256, 257, 511, 512, 513, 1000, 66_000, ...(isFull ? [65_536, 65_537] : [])])
    it(`of ${size} entries are all that is needed to go on, and to prove`, async () => {
      await using folder = await Folder.make();
      const root = await plant(folder.path, size);
      const first = Math.floor(size / 256) * 256;
      const bundle = Array.from({ length: size - first }, (_, at) => entry(first + at));
      const resumed = (await TileWriter.resume(folder.path, size, bundle)) ?? assert.fail('no tree');
      assert.deepEqual(resumed.head, { size, root });
      const fresh = new Frontier();
      for (let index = 0; index < size + 300; index += 1) fresh.push(leafHash(entry(index)));
      for (let index = size; index < size + 300; index += 1) resumed.push(entry(index));
      assert.deepEqual(resumed.head.root, fresh.root());

      const source = tileSource(folder.path, size);
      assert.deepEqual(await treeRoot(source, size), root);
      const index = Math.floor(size / 3);
      const path = await proveInclusion(source, index, size);
      assert.ok(includes({ index, size, leaf: leafHash(entry(index)), root }, path));
      const half = Math.ceil(size / 2);
      const old = { size: half, root: await treeRoot(source, half) };
      assert.ok(extendsTree(old, { size, root }, await proveConsistency(source, half, size)));
    });

  it('are read from the full tile where the partial one is gone', async () => {
    await using folder = await Folder.make();
    await plant(folder.path, 300);
    const hashes = (await readHashes(folder.path, { level: 0, index: 0, width: 100 })) ?? assert.fail();
    assert.deepEqual(
      hashes,
      Array.from({ length: 100 }, (_, at) => leafHash(entry(at))),
    );
    assert.equal((await readEntries(folder.path, 0, 7))?.length, 7);
    assert.equal(await readHashes(folder.path, { level: 0, index: 1, width: 45 }), undefined);
    await assert.rejects(tileSource(folder.path, 400)(0, 350), RangeError);
  });

  it('of the wrong length are refused', async () => {
    await using folder = await Folder.make();
    await plant(folder.path, 3);
    await writeFile(folder.in('tile/0/000.p/3'), Buffer.alloc(95));
    await writeFile(folder.in('tile/entries/000.p/3'), bundledEntry(entry(0)));
    await assert.rejects(readHashes(folder.path, { level: 0, index: 0, width: 3 }), codeIs('protocol_violation'));
    await assert.rejects(readEntries(folder.path, 0, 3), codeIs('protocol_violation'));
  });

  it('cannot be resumed where one is missing', async () => {
    await using folder = await Folder.make();
    assert.equal(await TileWriter.resume(folder.path, 3, []), undefined);
    assert.deepEqual((await TileWriter.resume(folder.path, 0, []))?.head, { size: 0, root: emptyRoot() });
  });
});
