import { open, readdir, readFile, stat } from 'node:fs/promises';
import { ownRecord } from '../event.js';
import { framesIn, type FramePiece } from './framing.js';
import { quarantine, type Damage } from './quarantine.js';
import { segmentFirst, segmentPath, type Segment } from './segment.js';

export interface RecoveredSpool {
  /** In order; the last one is where writing goes on. */
  readonly segments: readonly Segment[];
  /** The last sequence that was given out. */
  readonly last: number;
  readonly damage?: Damage;
}

const newline = 0x0a;

/**
 * Finds where a spool's writer stopped, whatever stopped it. A record whose
 * writing was cut short is removed: its writer never heard that it was kept.
 * Other bytes behind the last whole record are moved to quarantine, and the
 * sequences that they may have held are not given out again.
 */
export async function recoverSpool(directory: string): Promise<RecoveredSpool> {
  const firsts = (await readdir(directory)).map(segmentFirst).filter((first) => first !== undefined);
  const segments: Segment[] = [];
  for (const first of firsts.sort((left, right) => left - right)) {
    const path = segmentPath(directory, first);
    segments.push({ path, first, size: (await stat(path)).size });
  }
  await syncAll(segments);
  const active = segments.at(-1);
  return active ? { segments, ...(await recoverTail(active)) } : { segments, last: 0 };
}

/** What a killed process wrote is in the page cache only; nothing is delivered before it is durable. */
async function syncAll(segments: readonly Segment[]): Promise<void> {
  for (const { path } of segments) {
    const handle = await open(path, 'r+');
    try {
      await handle.datasync();
    } finally {
      await handle.close();
    }
  }
}

async function recoverTail(active: Segment): Promise<{ last: number; damage?: Damage }> {
  const bytes = await readFile(active.path);
  let record: FramePiece | undefined;
  let tail: FramePiece | undefined;
  for (const piece of framesIn(bytes, true)) {
    if (piece.kind === 'record') record = piece;
    tail = piece.kind === 'record' ? undefined : piece;
  }
  const last = record?.kind === 'record' ? ownRecord(record.payload).event.sequence : active.first - 1;
  if (!tail) return { last };
  const rest = bytes.subarray(tail.start);
  const lost = tail.kind === 'torn' ? 0 : possibleRecords(rest);
  const file = lost > 0 ? await quarantine(active.path, tail.start, rest) : undefined;
  await truncate(active, tail.start);
  const damage = file && { file, bytes: rest.length, after: last, before: last + lost + 1 };
  return { last: last + lost, ...(damage && { damage }) };
}

const possibleRecords = (bytes: Buffer): number =>
  bytes.reduce((count, byte) => count + (byte === newline ? 1 : 0), bytes.at(-1) === newline ? 0 : 1);

async function truncate(segment: Segment, size: number): Promise<void> {
  const handle = await open(segment.path, 'r+');
  try {
    await handle.truncate(size);
    await handle.sync();
  } finally {
    await handle.close();
  }
  segment.size = size;
}
