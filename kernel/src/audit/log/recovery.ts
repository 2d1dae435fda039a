import { join } from 'node:path';
import { PosternError } from '@postern/plugin-sdk';
import { readBounded } from '../bounded-file.js';
import {
  Frontier,
  leafHash,
  maxNoteBytes,
  openCheckpoint,
  TileWriter,
  tileWidth,
  type Checkpoint,
  type NoteVerifier,
} from '../tlog/index.js';
import { eventIn } from './id-lookup.js';
import { entriesPerFile, journalFiles, readJournal } from './journal-files.js';
import { Journal } from './journal.js';
import { repairTail, type TailRepair } from './journal-tail.js';
import { readStreamCache } from './stream-cache.js';
import { Streams } from './streams.js';
import { TileStore } from './tile-store.js';

/** What a start found out about a log. */
export interface RecoveredLog {
  readonly journal: Journal;
  readonly tree: TileWriter;
  readonly streams: Streams;
  /** The size of the last checkpoint; `undefined` where there is none yet. */
  readonly published: number | undefined;
  readonly repair: TailRepair & { readonly rebuilt: boolean };
}

export interface LogIdentity {
  readonly directory: string;
  readonly origin: string;
  readonly verifiers: readonly NoteVerifier[];
}

const maxFullBytes = 8 * 1024 * 1024;

/**
 * Brings tree, tiles and streams in step with the journal, whatever interrupted
 * the last run. Rejects with `conflict` where the journal does not hold what
 * the last checkpoint signs: such a log must be examined, not continued.
 */
export async function recoverLog(identity: LogIdentity): Promise<RecoveredLog> {
  const { directory } = identity;
  const checkpoint = await lastCheckpoint(identity);
  const { published, size: signed } = { published: checkpoint?.size, size: checkpoint?.size ?? 0 };
  const repair = await repairTail(directory, signed);
  const journal = await Journal.open(directory);
  if (!checkpoint && journal.end.size > 0)
    throw new PosternError('conflict', `${directory} holds ${journal.end.size} events and no checkpoint over them`);
  if (journal.end.size < signed)
    throw new PosternError('conflict', `${directory} holds ${journal.end.size} events of ${signed} that are signed`);
  const resumed = checkpoint && (await resumeTree(directory, checkpoint));
  const tree = resumed ?? (await rebuildTree(directory, checkpoint));
  await growTree(directory, tree, journal.end.size);
  const streams = await recoverStreams(directory, journal.end.size);
  return { journal, tree, streams, published, repair: { ...repair, rebuilt: signed > 0 && !resumed } };
}

async function lastCheckpoint({ directory, origin, verifiers }: LogIdentity): Promise<Checkpoint | undefined> {
  const bytes = await readBounded(join(directory, 'checkpoint'), maxNoteBytes);
  return bytes && openCheckpoint(bytes, verifiers, origin);
}

/** The tree from its right edge on disk; `undefined` where the edge is not that of the checkpoint and the journal. */
async function resumeTree(directory: string, checkpoint: Checkpoint): Promise<TileWriter | undefined> {
  const first = Math.floor(checkpoint.size / tileWidth) * tileWidth;
  const bundle: Buffer[] = [];
  for await (const { lines } of readJournal(directory, first)) {
    bundle.push(...lines.slice(0, checkpoint.size - first - bundle.length));
    if (bundle.length === checkpoint.size - first) break;
  }
  const tree = await TileWriter.resume(directory, checkpoint.size, bundle).catch(() => undefined);
  const agrees =
    tree?.head.root.equals(checkpoint.root) &&
    bundle.every((entry, index) => tree.edge[index]?.equals(leafHash(entry)));
  return agrees ? tree : undefined;
}

/** The tree and its tiles from the journal alone. No tile is touched before the journal has been found to be right. */
async function rebuildTree(directory: string, checkpoint: Checkpoint | undefined): Promise<TileWriter> {
  const tree = new TileWriter();
  if (!checkpoint) return tree;
  const root = await journalRoot(directory, checkpoint.size);
  if (!root.equals(checkpoint.root))
    throw new PosternError('conflict', `the journal in ${directory} is not what its checkpoint signs; verify it`);
  await growTree(directory, tree, checkpoint.size);
  return tree;
}

async function journalRoot(directory: string, size: number): Promise<Buffer> {
  const frontier = new Frontier();
  for await (const { lines } of readJournal(directory)) {
    for (const line of lines.slice(0, size - frontier.size)) frontier.push(leafHash(line));
    if (frontier.size === size) break;
  }
  return frontier.root();
}

/** Adds the journal's entries up to a size, and writes the tiles that become full on the way. */
async function growTree(directory: string, tree: TileWriter, size: number): Promise<void> {
  if (tree.size === size) return;
  const tiles = new TileStore(directory);
  for await (const { lines } of readJournal(directory, tree.size)) {
    for (const line of lines.slice(0, size - tree.size)) tree.push(line);
    if (tree.fullBytes > maxFullBytes) await tiles.write(tree.takeFull());
    if (tree.size === size) return;
  }
}

async function recoverStreams(directory: string, size: number): Promise<Streams> {
  const cached = await readStreamCache(directory);
  const usable = cached && cached.size <= size ? cached : undefined;
  const streams = new Streams(usable?.streams);
  const files = await journalFiles(directory);
  // The latest ids are wanted in any case, and the last two files have them.
  const recent = Math.max(0, (files.at(-1) ?? 0) - 1) * entriesPerFile;
  for await (const { lines } of readJournal(directory, Math.min(usable?.size ?? 0, recent))) {
    for (const line of lines) {
      const event = eventIn(line);
      if (event) streams.add(event);
    }
  }
  return streams;
}
