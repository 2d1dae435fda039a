import { chmod, mkdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { PosternError } from '@postern/plugin-sdk';
import { Bell } from '../bell.js';
import type { DeliveryState } from '../delivery-health.js';
import type { AuditRecord, EventDraft, EventKey } from '../event.js';
import { LockFile } from '../lock-file.js';
import type { AuditSink } from '../sink.js';
import { noteVerifier, type NoteSigner, type NoteVerifier } from '../tlog/index.js';
import { IdLookup } from './id-lookup.js';
import { entriesPerFile } from './journal-files.js';
import type { Journal, JournalEnd } from './journal.js';
import { Publisher } from './publisher.js';
import { recoverLog, type RecoveredLog } from './recovery.js';
import { conflictOf, Staging, type Streams } from './streams.js';

export interface LogOptions {
  /** Made where it is missing, with mode 0700. Belongs to one process at a time. */
  readonly directory: string;
  readonly cluster: string;
  /** Names this log among those of the cluster: one per instance of the Auth Service. */
  readonly instance: string;
  /** Signs the checkpoints. Its name is the log's origin by convention. */
  readonly signer: NoteSigner;
  /** Keys whose checkpoints are continued besides the signer's own: those before a rotation. */
  readonly trusted?: readonly NoteVerifier[];
  readonly limits?: Partial<LogLimits>;
  /** What the log has to say about itself: events for its own trail. Must not throw. */
  readonly onNotice: (notice: EventDraft) => void;
}

export interface LogLimits {
  /** The least time between two checkpoints. */
  readonly checkpointIntervalMs: number;
  /** How many bytes of events may wait for the disk before more are turned away. */
  readonly maxQueuedBytes: number;
  /** How many bytes of tiles may wait for the disk before events do too. */
  readonly maxPendingBytes: number;
  /** How many bytes of events are made durable together. */
  readonly commitBytes: number;
}

const defaults: LogLimits = {
  checkpointIntervalMs: 1000,
  maxQueuedBytes: 64 * 1024 * 1024,
  maxPendingBytes: 32 * 1024 * 1024,
  commitBytes: 4 * 1024 * 1024,
};

interface Call {
  readonly records: readonly AuditRecord[];
  readonly bytes: number;
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
}

/** How a log is named in its checkpoints. */
export const logOrigin = (cluster: string, instance: string): string => `${cluster}/audit/${instance}`;

const sizeOf = (records: readonly AuditRecord[]): number => records.reduce((sum, { line }) => sum + line.length, 0);

/**
 * The audit log of one instance of the Auth Service: an append-only journal,
 * and over it a Merkle tree in the layout of C2SP tlog-tiles whose head is
 * signed. `append` resolves once the journal is durable; tiles and checkpoint
 * follow in the background.
 */
export class AuditLog implements AuditSink, AsyncDisposable {
  /** Rings when events were appended. */
  readonly changed = new Bell();
  readonly #limits: LogLimits;
  readonly #journal: Journal;
  readonly #streams: Streams;
  readonly #publisher: Publisher;
  readonly #lookup: IdLookup;
  readonly #queue: Call[] = [];
  readonly #reported = new Set<string>();
  #queuedBytes = 0;
  #working: Promise<void> | undefined;
  #closed = false;

  private constructor(
    private readonly options: LogOptions,
    private readonly recovered: RecoveredLog,
    private readonly lock: LockFile,
  ) {
    const { directory, cluster, instance, signer } = options;
    this.#limits = { ...defaults, ...options.limits };
    this.#journal = recovered.journal;
    this.#streams = recovered.streams;
    this.#lookup = new IdLookup(directory);
    this.#publisher = new Publisher({
      directory,
      origin: logOrigin(cluster, instance),
      signer,
      tree: recovered.tree,
      published: recovered.published,
      intervalMs: this.#limits.checkpointIntervalMs,
      onFailure: ({ message }) => this.#report('unsigned', { type: 'audit.unsigned', fields: { reason: message } }),
    });
  }

  /**
   * Opens a log, goes on where the last run stopped, and signs what that run
   * did not. Rejects with `conflict` where another process has it, or where the
   * journal is not what the last checkpoint signs.
   */
  static async open(options: LogOptions): Promise<AuditLog> {
    const { directory, cluster, instance, signer, trusted = [] } = options;
    await mkdir(directory, { recursive: true, mode: 0o700 });
    await chmod(directory, 0o700);
    const lock = await LockFile.acquire(join(directory, 'lock'));
    try {
      const verifiers = [noteVerifier(signer.name, signer.publicKey), ...trusted];
      const recovered = await recoverLog({ directory, origin: logOrigin(cluster, instance), verifiers });
      const log = new AuditLog(options, recovered, lock);
      await log.#publisher.now();
      log.#reportRepair();
      return log;
    } catch (cause) {
      await lock[Symbol.asyncDispose]();
      throw cause;
    }
  }

  /** How many events are durable. */
  get size(): number {
    return this.#journal.end.size;
  }

  /** How many events are durable, and where they end in the journal's last file. */
  get end(): JournalEnd {
    return this.#journal.end;
  }

  get directory(): string {
    return this.options.directory;
  }

  /** Whether events are taken, and what is wrong: without a signer, events are taken and checkpoints wait. */
  get state(): DeliveryState {
    const failure = this.#journal.failure ?? this.#publisher.failure;
    return { ready: !this.#journal.failure, ...(failure && { reason: failure.message }) };
  }

  /** Another key signs from the next checkpoint on, which is made at once. */
  async signBy(signer: NoteSigner): Promise<void> {
    this.#publisher.signBy(signer);
    await this.#publisher.now();
  }

  /** A signed checkpoint over everything that was appended before the call. */
  async checkpoint(): Promise<Buffer> {
    await this.#publisher.now();
    return readFile(join(this.options.directory, 'checkpoint'));
  }

  async append(records: readonly AuditRecord[], signal?: AbortSignal): Promise<void> {
    const bytes = sizeOf(records);
    this.#admit(bytes);
    this.#queuedBytes += bytes;
    try {
      const wanted = await this.#withoutOld(records);
      signal?.throwIfAborted();
      this.#admit(0);
      await new Promise<void>((resolve, reject) => {
        this.#queue.push({ records: wanted, bytes: sizeOf(wanted), resolve, reject });
        this.#working ??= this.#work();
      });
    } finally {
      this.#queuedBytes -= bytes;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed = true;
    await this.#working;
    try {
      await this.#publisher[Symbol.asyncDispose]();
    } finally {
      await this.#journal[Symbol.asyncDispose]();
      await this.lock[Symbol.asyncDispose]();
      this.changed.ring();
    }
  }

  #admit(bytes: number): void {
    if (this.#closed) throw new PosternError('unavailable', 'the audit log is closed');
    if (this.#queuedBytes > 0 && this.#queuedBytes + bytes > this.#limits.maxQueuedBytes)
      throw new PosternError('unavailable', `${this.#queuedBytes} bytes of audit events wait for the disk already`);
  }

  /** Takes out what was stored long ago: the ids of those events are in the journal and not in memory. */
  async #withoutOld(records: readonly AuditRecord[]): Promise<readonly AuditRecord[]> {
    if (records.every(({ key }) => this.#streams.judge(key).kind !== 'old')) return records;
    const wanted: AuditRecord[] = [];
    for (const record of records) {
      const { key: event } = record;
      if (this.#streams.judge(event).kind !== 'old') {
        wanted.push(record);
        continue;
      }
      const kept = await this.#lookup.find(event);
      if (kept === event.id) continue;
      this.#reportConflict(event, kept);
      throw conflictOf(event, kept ?? 'taken by an event too old to compare');
    }
    return wanted;
  }

  /** Commits until nothing waits. Never rejects: every call hears of its own failure. */
  async #work(): Promise<void> {
    for (let calls = this.#take(); calls.length > 0; calls = this.#take()) await this.#commit(calls);
    this.#working = undefined;
  }

  #take(): Call[] {
    let bytes = 0;
    const count = this.#queue.findIndex((call, index) => index > 0 && (bytes += call.bytes) > this.#limits.commitBytes);
    return this.#queue.splice(0, count < 0 ? this.#queue.length : count);
  }

  async #commit(calls: readonly Call[]): Promise<void> {
    const staging = new Staging(this.#streams);
    const accepted = calls.filter(({ records, reject }) => {
      try {
        staging.add(records, (event, kept) => this.#reportConflict(event, kept));
        return true;
      } catch (cause) {
        reject(cause);
        return false;
      }
    });
    try {
      await this.#store(staging.records);
      for (const { resolve } of accepted) resolve();
    } catch (cause) {
      for (const { reject } of accepted) reject(cause);
    }
  }

  async #store(records: readonly AuditRecord[]): Promise<void> {
    await this.#makeRoom();
    for (let rest = records; rest.length > 0;) {
      const part = rest.slice(0, this.#journal.room);
      await this.#journal.append(part.map(({ line }) => line));
      for (const { key, line } of part) this.#note(key, line);
      if (this.#journal.room === entriesPerFile)
        this.#publisher.keep({ size: this.#journal.end.size, streams: this.#streams.states() });
      rest = rest.slice(part.length);
      this.#publisher.soon();
      this.changed.ring();
    }
  }

  /** Tiles that cannot be written stay in memory; there must not be more and more of them. */
  async #makeRoom(): Promise<void> {
    const isFull = (): boolean => this.#publisher.pendingBytes > this.#limits.maxPendingBytes;
    // A checkpoint that cannot be signed does not matter here: its tiles are written before.
    if (isFull()) await this.#publisher.now().catch(() => undefined);
    if (isFull()) throw new PosternError('audit_unavailable', 'the disk takes no tiles of the audit log');
  }

  #note(event: EventKey, line: Buffer): void {
    const { agent, stream, sequence } = event;
    const last = this.#streams.last(event);
    this.#streams.add(event);
    this.recovered.tree.push(line);
    if (sequence <= last + 1) return;
    const fields = { agent, stream, from: last + 1, to: sequence - 1 };
    this.#report(`gap ${agent} ${stream} ${sequence}`, { type: 'audit.gap', fields });
  }

  #reportConflict({ agent, stream, sequence, id }: EventKey, kept: string | undefined): void {
    const fields = { agent, stream, sequence, offered: id, ...(kept !== undefined && { kept }) };
    this.#report(`conflict ${agent} ${stream} ${sequence} ${id}`, { type: 'audit.conflict', fields });
  }

  #reportRepair(): void {
    const { quarantined, unreadable, rebuilt } = this.recovered.repair;
    if (!quarantined && unreadable === 0 && !rebuilt) return;
    const fields = { ...quarantined, unreadable, rebuilt };
    this.#report('repaired', { type: 'audit.repaired', fields });
  }

  /** Says a thing once: an agent that tries again and again must not fill the log with its failures. */
  #report(key: string, notice: EventDraft): void {
    if (this.#reported.has(key)) return;
    this.#reported.add(key);
    const [oldest] = this.#reported;
    if (this.#reported.size > 1024 && oldest !== undefined) this.#reported.delete(oldest);
    this.options.onNotice(notice);
  }
}
