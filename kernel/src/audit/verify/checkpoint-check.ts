import { join } from 'node:path';
import { PosternError } from '@postern/plugin-sdk';
import { readBounded } from '../bounded-file.js';
import {
  maxNoteBytes,
  openCheckpoint,
  openNote,
  parseCheckpoint,
  parseNote,
  type Checkpoint,
  type NoteVerifier,
} from '../tlog/index.js';
import type { Findings, ProblemKind } from './report.js';

export interface CheckedCheckpoint extends Partial<Checkpoint> {
  readonly signers: readonly string[];
}

/**
 * Reads a log's checkpoint. One that is not signed as it should be is a problem
 * and is used all the same, so that the rest can be compared with it.
 */
export async function checkCheckpoint(
  directory: string,
  keys: readonly NoteVerifier[],
  origin: string | undefined,
  problems: Findings<ProblemKind>,
): Promise<CheckedCheckpoint> {
  try {
    const bytes = await readBounded(join(directory, 'checkpoint'), maxNoteBytes);
    if (!bytes) {
      problems.add('checkpoint_missing', 'checkpoint', 'there is no checkpoint');
      return { signers: [] };
    }
    const checkpoint = parseCheckpoint(parseNote(bytes).text);
    if (origin !== undefined && checkpoint.origin !== origin)
      problems.add('checkpoint_origin', 'checkpoint', `it is of ${checkpoint.origin}, not of ${origin}`);
    return { ...checkpoint, signers: signersOf(bytes, keys, problems) };
  } catch (cause) {
    problems.add('checkpoint_malformed', 'checkpoint', PosternError.from(cause).message);
    return { signers: [] };
  }
}

function signersOf(bytes: Buffer, keys: readonly NoteVerifier[], problems: Findings<ProblemKind>): string[] {
  try {
    return openNote(bytes, keys).signers.map(({ name }) => name);
  } catch (cause) {
    problems.add('checkpoint_signature', 'checkpoint', PosternError.from(cause).message);
    return [];
  }
}

/** The kept checkpoints that the log is compared with, as far as a known key signed them. */
export function keptCheckpoints(
  kept: readonly Buffer[],
  { keys, now }: { readonly keys: readonly NoteVerifier[]; readonly now: CheckedCheckpoint },
  problems: Findings<ProblemKind>,
): Checkpoint[] {
  return kept.flatMap((bytes, index) => {
    try {
      const checkpoint = openCheckpoint(bytes, keys, now.origin);
      if (checkpoint.size <= (now.size ?? 0)) return [checkpoint];
      const detail = `the kept checkpoint signs ${checkpoint.size} entries, the log's own only ${now.size ?? 0}`;
      problems.add('rolled_back', 'checkpoint', detail);
    } catch (cause) {
      problems.add('since_invalid', `kept checkpoint ${index + 1}`, PosternError.from(cause).message);
    }
    return [];
  });
}
