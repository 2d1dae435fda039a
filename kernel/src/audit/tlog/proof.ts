import { nodeHash, splitPoint } from './merkle.js';

/** Looks up the root of the perfect subtree number `index` among those of 2^`height` leaves. */
export type SubtreeSource = (height: number, index: number) => Promise<Buffer>;

const isPowerOfTwo = (size: number): boolean => Number.isInteger(Math.log2(size));

/** The Merkle tree hash of the leaves from `start` up to, and without, `end`. `start` must be where a split may fall. */
async function rangeRoot(source: SubtreeSource, start: number, end: number): Promise<Buffer> {
  const size = end - start;
  if (isPowerOfTwo(size)) return source(Math.log2(size), start / size);
  const middle = start + splitPoint(size);
  return nodeHash(await rangeRoot(source, start, middle), await rangeRoot(source, middle, end));
}

/** The root of the first `size` leaves; `size` must be at least 1. */
export const treeRoot = (source: SubtreeSource, size: number): Promise<Buffer> => rangeRoot(source, 0, size);

/** The audit path of leaf `index` in the tree of `size` leaves, nearest sibling first: RFC 6962 section 2.1.1. */
export async function proveInclusion(source: SubtreeSource, index: number, size: number): Promise<Buffer[]> {
  if (index < 0 || index >= size) throw new RangeError(`leaf ${index} is not in a tree of ${size}`);
  const path: Buffer[] = [];
  let [start, end] = [0, size];
  while (end - start > 1) {
    const middle = start + splitPoint(end - start);
    if (index < middle) {
      path.push(await rangeRoot(source, middle, end));
      end = middle;
    } else {
      path.push(await rangeRoot(source, start, middle));
      start = middle;
    }
  }
  return path.reverse();
}

/** What shows that the tree of `oldSize` leaves is the beginning of the tree of `newSize`: RFC 6962 section 2.1.2. */
export async function proveConsistency(source: SubtreeSource, oldSize: number, newSize: number): Promise<Buffer[]> {
  if (oldSize < 1 || oldSize > newSize) throw new RangeError(`no proof leads from size ${oldSize} to ${newSize}`);
  const proof: Buffer[] = [];
  let [start, end] = [0, newSize];
  while (end !== oldSize) {
    const middle = start + splitPoint(end - start);
    if (oldSize <= middle) {
      proof.push(await rangeRoot(source, middle, end));
      end = middle;
    } else {
      proof.push(await rangeRoot(source, start, middle));
      start = middle;
    }
  }
  // The verifier knows the old root itself, but not the root of an inner part of the old tree.
  if (start > 0) proof.push(await rangeRoot(source, start, end));
  return proof.reverse();
}
