import { emptyRoot, nodeHash } from './merkle.js';

const half = (value: number): number => Math.floor(value / 2);

export interface InclusionClaim {
  readonly index: number;
  readonly size: number;
  readonly leaf: Buffer;
  readonly root: Buffer;
}

/** True where `path` proves that the leaf is at its index in the tree with this root: RFC 9162 section 2.1.3.2. */
export function includes(claim: InclusionClaim, path: readonly Buffer[]): boolean {
  if (claim.index < 0 || claim.index >= claim.size) return false;
  let [node, last, hash] = [claim.index, claim.size - 1, claim.leaf];
  for (const sibling of path) {
    if (last === 0) return false;
    if (node % 2 === 0 && node !== last) {
      hash = nodeHash(hash, sibling);
    } else {
      hash = nodeHash(sibling, hash);
      while (node % 2 === 0 && node !== 0) [node, last] = [half(node), half(last)];
    }
    [node, last] = [half(node), half(last)];
  }
  return last === 0 && hash.equals(claim.root);
}

export interface TreeHead {
  readonly size: number;
  readonly root: Buffer;
}

/** True where `proof` shows that `old` is the beginning of `now`: RFC 9162 section 2.1.4.2. */
export function extendsTree(old: TreeHead, now: TreeHead, proof: readonly Buffer[]): boolean {
  if (old.size > now.size) return false;
  if (old.size === now.size) return proof.length === 0 && old.root.equals(now.root);
  if (old.size === 0) return proof.length === 0 && old.root.equals(emptyRoot());
  return climb(old, now, Number.isInteger(Math.log2(old.size)) ? [old.root, ...proof] : proof);
}

function climb(old: TreeHead, now: TreeHead, [first, ...rest]: readonly Buffer[]): boolean {
  if (!first) return false;
  let [node, last] = [old.size - 1, now.size - 1];
  while (node % 2 === 1) [node, last] = [half(node), half(last)];
  let [oldHash, newHash] = [first, first];
  for (const sibling of rest) {
    if (last === 0) return false;
    if (node % 2 === 1 || node === last) {
      oldHash = nodeHash(sibling, oldHash);
      newHash = nodeHash(sibling, newHash);
      while (node % 2 === 0 && node !== 0) [node, last] = [half(node), half(last)];
    } else {
      newHash = nodeHash(newHash, sibling);
    }
    [node, last] = [half(node), half(last)];
  }
  return last === 0 && oldHash.equals(old.root) && newHash.equals(now.root);
}
