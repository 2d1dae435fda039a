import assert from 'node:assert/strict';
import fc from 'fast-check';
import { Frontier } from '../../src/audit/tlog/frontier.js';
import { emptyRoot, leafHash, nodeHash, splitPoint } from '../../src/audit/tlog/merkle.js';
import { extendsTree, includes } from '../../src/audit/tlog/proof-check.js';
import { proveConsistency, proveInclusion, treeRoot, type SubtreeSource } from '../../src/audit/tlog/proof.js';

const hex = (text: string): Buffer => Buffer.from(text, 'hex');

/** The leaves and tree heads that implementations of RFC 6962 test each other with. */
const leaves = ['', '00', '10', '2021', '3031', '40414243', '5051525354555657', '606162636465666768696a6b6c6d6e6f'];
const roots = [
  'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855',
  '6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d',
  'fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125',
  'aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77',
  'd37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7',
  '4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4',
  '76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef',
  'ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c',
  '5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328',
];

/** The tree hash exactly as RFC 6962 section 2.1 defines it. */
function definedRoot(hashes: readonly Buffer[]): Buffer {
  const [first] = hashes;
  if (!first) return emptyRoot();
  if (hashes.length === 1) return first;
  const split = splitPoint(hashes.length);
  return nodeHash(definedRoot(hashes.slice(0, split)), definedRoot(hashes.slice(split)));
}

const sourceOf =
  (hashes: readonly Buffer[]): SubtreeSource =>
  async (height, index) => {
    const width = 2 ** height;
    const part = hashes.slice(index * width, (index + 1) * width);
    assert.equal(part.length, width, 'only perfect subtrees are asked for');
    return definedRoot(part);
  };

const leafHashes = (count: number): Buffer[] =>
  Array.from({ length: count }, (_, at) => leafHash(Buffer.from(`${at}`)));
const treeSize = fc.integer({ min: 1, max: 300 });

describe('the Merkle tree', () => {
  for (const [size, root] of roots.entries())
    it(`has the known root of RFC 6962 over ${size} leaves`, () => {
      const frontier = new Frontier();
      for (const leaf of leaves.slice(0, size)) frontier.push(leafHash(hex(leaf)));
      assert.equal(frontier.root().toString('hex'), root);
      assert.equal(definedRoot(leaves.slice(0, size).map((leaf) => leafHash(hex(leaf)))).toString('hex'), root);
    });

  it('grows leaf by leaf to the root that is defined', () => {
    const frontier = new Frontier();
    const hashes = leafHashes(600);
    for (const [at, hash] of hashes.entries()) {
      frontier.push(hash);
      if (at % 37 === 0 || at > 590) assert.deepEqual(frontier.root(), definedRoot(hashes.slice(0, at + 1)));
    }
  });

  it('takes whole subtrees where they fit, and refuses them elsewhere', () => {
    const hashes = leafHashes(9);
    const frontier = new Frontier();
    frontier.push(definedRoot(hashes.slice(0, 8)), 3);
    frontier.push(hashes[8] ?? assert.fail());
    assert.deepEqual(frontier.root(), definedRoot(hashes));
    assert.throws(() => frontier.push(hashes[0] ?? assert.fail(), 1), RangeError);
  });
});

describe('an inclusion proof', () => {
  it('holds for every leaf of every size, and has the length of a path', async () => {
    await fc.assert(
      fc.asyncProperty(treeSize, fc.nat(), async (size, seed) => {
        const hashes = leafHashes(size);
        const index = seed % size;
        const path = await proveInclusion(sourceOf(hashes), index, size);
        const claim = { index, size, leaf: hashes[index] ?? assert.fail(), root: definedRoot(hashes) };
        assert.ok(path.length <= Math.ceil(Math.log2(size)) + 1);
        assert.ok(includes(claim, path));
        assert.ok(!includes({ ...claim, leaf: leafHash(Buffer.from('another')) }, path));
        if (size > 1) assert.ok(!includes({ ...claim, index: (index + 1) % size }, path));
      }),
    );
  });

  it('fails with any hash changed, one too few, or one too many', async () => {
    const hashes = leafHashes(77);
    const path = await proveInclusion(sourceOf(hashes), 40, 77);
    const claim = { index: 40, size: 77, leaf: hashes[40] ?? assert.fail(), root: definedRoot(hashes) };
    for (const at of path.keys()) assert.ok(!includes(claim, path.with(at, leafHash(Buffer.of(at)))));
    assert.ok(!includes(claim, path.slice(1)));
    assert.ok(!includes(claim, path.slice(0, -1)));
    assert.ok(!includes(claim, [...path, leafHash(Buffer.of(1))]));
  });

  it('cannot be made for a leaf that is not there', async () => {
    await assert.rejects(proveInclusion(sourceOf(leafHashes(3)), 3, 3), RangeError);
    assert.ok(!includes({ index: 3, size: 3, leaf: emptyRoot(), root: emptyRoot() }, []));
  });
});

describe('a consistency proof', () => {
  it('leads from every size to every later one', async () => {
    await fc.assert(
      fc.asyncProperty(treeSize, treeSize, async (left, right) => {
        const [from, to] = [Math.min(left, right), Math.max(left, right)];
        const hashes = leafHashes(to);
        const old = { size: from, root: definedRoot(hashes.slice(0, from)) };
        const now = { size: to, root: definedRoot(hashes) };
        const proof = await proveConsistency(sourceOf(hashes), from, to);
        assert.ok(extendsTree(old, now, proof));
        const forged = { size: from, root: leafHash(Buffer.from('forged')) };
        assert.ok(!extendsTree(forged, now, proof));
        assert.ok(!extendsTree(old, { ...now, root: forged.root }, proof));
      }),
    );
  });

  it('fails with any hash changed, one too few, or one too many', async () => {
    const hashes = leafHashes(131);
    const old = { size: 70, root: definedRoot(hashes.slice(0, 70)) };
    const now = { size: 131, root: definedRoot(hashes) };
    const proof = await proveConsistency(sourceOf(hashes), 70, 131);
    for (const at of proof.keys()) assert.ok(!extendsTree(old, now, proof.with(at, leafHash(Buffer.of(at)))));
    assert.ok(!extendsTree(old, now, proof.slice(1)));
    assert.ok(!extendsTree(old, now, proof.slice(0, -1)));
    assert.ok(!extendsTree(old, now, [...proof, now.root]));
    assert.ok(!extendsTree(now, old, proof), 'a log that became shorter is no continuation');
  });

  it('of a log with an altered past does not exist: a split view is found by either root', async () => {
    const hashes = leafHashes(64);
    const other = hashes.with(3, leafHash(Buffer.from('altered')));
    const old = { size: 40, root: definedRoot(hashes.slice(0, 40)) };
    const now = { size: 64, root: definedRoot(other) };
    assert.ok(!extendsTree(old, now, await proveConsistency(sourceOf(other), 40, 64)));
    assert.ok(!extendsTree(old, now, await proveConsistency(sourceOf(hashes), 40, 64)));
  });

  it('from nothing is empty, and from the same size needs the same root', () => {
    const root = definedRoot(leafHashes(5));
    assert.ok(extendsTree({ size: 0, root: emptyRoot() }, { size: 5, root }, []));
    assert.ok(!extendsTree({ size: 0, root }, { size: 5, root }, []));
    assert.ok(extendsTree({ size: 5, root }, { size: 5, root }, []));
    assert.ok(!extendsTree({ size: 5, root: emptyRoot() }, { size: 5, root }, []));
  });
});

describe('treeRoot', () => {
  it('puts the root together from perfect subtrees', async () => {
    for (const size of [1, 2, 3, 7, 255, 256, 257])
      assert.deepEqual(await treeRoot(sourceOf(leafHashes(size)), size), definedRoot(leafHashes(size)));
  });
});
