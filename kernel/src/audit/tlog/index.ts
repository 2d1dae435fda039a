export { formatCheckpoint, openCheckpoint, parseCheckpoint, type Checkpoint } from './checkpoint.js';
export { Frontier } from './frontier.js';
export { emptyRoot, hashLength, leafHash, nodeHash } from './merkle.js';
export {
  formatVerifierKey,
  maxNoteBytes,
  noteVerifier,
  openNote,
  parseNote,
  parseVerifierKey,
  signNote,
  type Note,
  type NoteSignature,
  type NoteSigner,
  type NoteVerifier,
  type OpenedNote,
} from './note.js';
export { extendsTree, includes, type InclusionClaim, type TreeHead } from './proof-check.js';
export { proveConsistency, proveInclusion, treeRoot, type SubtreeSource } from './proof.js';
export { readEntries, readHashes, readTile, readTileFile, tileSource, widthAt } from './tile-files.js';
export { TileWriter, type TileFile } from './tile-writer.js';
export {
  bundleEntries,
  bundledEntry,
  maxEntryBytes,
  parseTilePath,
  tilePath,
  tileWidth,
  type TileName,
} from './tile.js';
