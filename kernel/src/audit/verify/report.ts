import type { SequenceRange } from '../sequence-ranges.js';

/** What can be wrong with a log. Kinds are append-only: programs act on them. */
export type ProblemKind =
  /** The checkpoint is missing, no checkpoint, another log's, or not signed by a known key. */
  | 'checkpoint_missing'
  | 'checkpoint_malformed'
  | 'checkpoint_origin'
  | 'checkpoint_signature'
  /** The entries on disk are not those that the checkpoint signs. */
  | 'root_mismatch'
  /** Entries that the checkpoint signs are not there any more. */
  | 'truncated'
  /** The log is shorter than a checkpoint that somebody kept, or has another history. */
  | 'rolled_back'
  | 'forked'
  | 'since_invalid'
  /** One of the three places that hold an entry or its hash differs from the others, or is missing. */
  | 'entry_changed'
  | 'bundle_changed'
  | 'tile_changed'
  | 'tile_missing'
  | 'journal_changed'
  | 'journal_dropped'
  | 'journal_duplicated'
  | 'journal_inserted'
  | 'journal_reordered'
  | 'journal_missing'
  /** The log holds a number of a stream twice, behind a higher one, or not at all below its highest. */
  | 'duplicate'
  | 'reordered'
  | 'gap';

/** What is worth knowing and not wrong. */
export type NoticeKind =
  /** Lines behind the last checkpoint. */
  | 'unsigned'
  /** An entry that is no event. */
  | 'unreadable'
  /** A file that is no part of the layout. */
  | 'foreign_file';

export interface Finding<K extends string> {
  readonly kind: K;
  /** Where: an entry's index, a file below the log's directory, a stream. */
  readonly at: string;
  readonly detail: string;
}

export type Problem = Finding<ProblemKind>;
export type Notice = Finding<NoticeKind>;

/** What the log holds of one stream of one instance. */
export interface StreamReport {
  readonly agent: string;
  readonly stream: string;
  readonly events: number;
  /** The runs of sequence numbers; one that begins with 1, where nothing is missing. */
  readonly ranges: readonly SequenceRange[];
}

export interface VerifyReport {
  /** True where nothing is wrong. */
  readonly ok: boolean;
  readonly origin: string | undefined;
  /** How many entries the checkpoint signs, and the root over them in base64. */
  readonly size: number;
  readonly root: string;
  /** The keys that signed the checkpoint. */
  readonly signers: readonly string[];
  readonly problems: readonly Problem[];
  /** How many more problems there were than are listed. */
  readonly omitted: number;
  readonly notices: readonly Notice[];
  readonly agents: readonly StreamReport[];
  readonly elapsedMs: number;
}

/** Collects findings, and only counts them once there are enough to act on. */
export class Findings<K extends string> {
  readonly #listed: Finding<K>[] = [];
  #count = 0;

  constructor(private readonly limit: number) {}

  add(kind: K, at: string, detail: string): void {
    this.#count += 1;
    if (this.#listed.length < this.limit) this.#listed.push({ kind, at, detail });
  }

  get listed(): readonly Finding<K>[] {
    return this.#listed;
  }

  get count(): number {
    return this.#count;
  }
}
