import type { NoteVerifier } from '../tlog/index.js';
import { checkCheckpoint, keptCheckpoints } from './checkpoint-check.js';
import { JournalCheck } from './journal-check.js';
import { checkLeftovers } from './leftovers.js';
import { Findings, type NoticeKind, type ProblemKind, type VerifyReport } from './report.js';
import { StreamCheck } from './stream-check.js';
import { TreeCheck } from './tree-check.js';

export interface VerifyOptions {
  /** The log's directory, or a copy of it. */
  readonly directory: string;
  /** The keys that may have signed its checkpoints: whoever verifies brings them along. */
  readonly keys: readonly NoteVerifier[];
  /** The log that it must be; not checked where absent. */
  readonly origin?: string;
  /** Signed checkpoints of the same log that somebody kept: what shows that nothing was cut off or rewritten since. */
  readonly since?: readonly Buffer[];
  readonly onProgress?: (checked: number, size: number) => void;
  readonly signal?: AbortSignal;
  /** How many problems are listed; all are counted. */
  readonly maxProblems?: number;
}

/**
 * Verifies a log from its files and public keys alone: recomputes every hash,
 * compares journal, bundles and tiles with one another and with the signed
 * root, follows the numbers of every stream, and holds the log against
 * checkpoints that were kept. Memory is bounded whatever the size. Rejects only
 * where files cannot be read at all; everything else is in the report.
 */
export async function verifyLog(options: VerifyOptions): Promise<VerifyReport> {
  const { directory, keys, since = [], maxProblems = 100 } = options;
  const started = performance.now();
  const problems = new Findings<ProblemKind>(maxProblems);
  const notices = new Findings<NoticeKind>(maxProblems);
  const now = await checkCheckpoint(directory, keys, options.origin, problems);
  const kept = keptCheckpoints(since, { keys, now }, problems);
  const streams = new StreamCheck(problems, notices);
  const journal = new JournalCheck(directory, problems, notices);
  const { origin = '', size = 0, root } = now;
  const tree = new TreeCheck({
    directory,
    size,
    targets: [
      ...(root ? [{ checkpoint: { origin, size, root }, kind: 'root_mismatch' as const }] : []),
      ...kept.map((checkpoint) => ({ checkpoint, kind: 'forked' as const })),
    ],
    journal,
    streams,
    problems,
    onProgress: options.onProgress,
    signal: options.signal,
  });
  const found = await tree.run();
  await journal.finish(found);
  await checkLeftovers({ directory, size, problems, notices });
  const agents = streams.finish();
  return {
    ok: problems.count === 0,
    origin: now.origin,
    size,
    root: root?.toString('base64') ?? '',
    signers: now.signers,
    problems: problems.listed,
    omitted: problems.count - problems.listed.length,
    notices: notices.listed,
    agents,
    elapsedMs: performance.now() - started,
  };
}
