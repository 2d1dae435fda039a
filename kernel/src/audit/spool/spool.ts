import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { PosternError } from '@postern/plugin-sdk';
import { Bell } from '../bell.js';
import type { EventSealer, SealedEvent } from '../event-sealer.js';
import { KeyedRecord } from '../event.js';
import { LockFile } from '../lock-file.js';
import { Cursor } from './cursor.js';
import { FrameMemory } from './frame-memory.js';
import { GroupSync } from './group-sync.js';
import { HoldQueue } from './hold-queue.js';
import type { Damage } from './quarantine.js';
import { RecentRecords } from './recent-records.js';
import { ActiveSegment, segmentPath, type Segment } from './segment.js';
import { SpoolReader } from './spool-reader.js';
import { recoverSpool, type RecoveredSpool } from './spool-recovery.js';
import { openStream } from './spool-stream.js';

export interface SpoolOptions {
  /** Made where it is missing, with mode 0700. Belongs to one process at a time. */
  readonly directory: string;
  /** The instance that observes what is written here. */
  readonly agent: string;
  readonly sealer: EventSealer;
  readonly limits?: Partial<SpoolLimits>;
}

export interface SpoolLimits {
  /** The disk that the queue may take. What is written beyond it waits. */
  readonly maxBytes: number;
  /** What the last events of sessions that had to end may take beyond it. */
  readonly reserveBytes: number;
  readonly segmentBytes: number;
  /** How long after a write its sync begins; together with the sync itself at most 100 ms on a healthy disk. */
  readonly syncIntervalMs: number;
  /** How long an event waits for room before it is refused. */
  readonly holdTimeoutMs: number;
  /** How many events may wait at once. */
  readonly maxHeld: number;
}

const defaults: SpoolLimits = {
  maxBytes: 256 * 1024 * 1024,
  reserveBytes: 4 * 1024 * 1024,
  segmentBytes: 8 * 1024 * 1024,
  syncIntervalMs: 50,
  holdTimeoutMs: 30_000,
  maxHeld: 10_000,
};

/** How much of the newest events is also kept in memory, for whoever delivers them. */
const recentBytes = 2 * 1024 * 1024;

interface Batch {
  readonly events: readonly SealedEvent[];
  /** May use the reserve, and does not queue behind those that may not. */
  readonly closing: boolean;
}

/**
 * An instance's bounded local queue of audit events. What {@link append} has
 * taken survives the death of the process at once and power loss after the next
 * group sync; it is removed only after somebody acknowledged it, and it leaves
 * in the order of its sequence, which goes on without a gap after a restart.
 */
export class Spool implements AsyncDisposable {
  /** Rings when events became durable or were acknowledged, and when the spool failed. */
  readonly changed = new Bell();
  readonly #limits: SpoolLimits;
  readonly #held: HoldQueue<Batch>;
  readonly #sync: GroupSync;
  /** What all events of this spool have in common, and how it stands in their lines. */
  readonly #origin: { readonly agent: string; readonly stream: string };
  readonly #stamp: string;
  readonly #segments: Segment[];
  readonly #memory = new FrameMemory();
  readonly #recent = new RecentRecords(recentBytes);
  #active: ActiveSegment;
  #bytes: number;
  #written: number;
  #durable: number;
  #failure: PosternError | undefined;
  #notes: Damage[] = [];

  private constructor(
    private readonly options: SpoolOptions,
    stream: string,
    { segments, last }: RecoveredSpool,
    private readonly keeps: { readonly cursor: Cursor; readonly lock: LockFile },
  ) {
    this.#limits = { ...defaults, ...options.limits };
    this.#written = Math.max(last, keeps.cursor.value);
    this.#durable = this.#written;
    const open = segments.at(-1);
    this.#active = open
      ? new ActiveSegment(open.path, open.first, open.size)
      : new ActiveSegment(segmentPath(options.directory, this.#written + 1), this.#written + 1, 0);
    this.#segments = [...segments.slice(0, -1), this.#active];
    this.#bytes = this.#segments.reduce((sum, { size }) => sum + size, 0);
    this.#origin = { agent: options.agent, stream };
    this.#stamp = `,"agent":${JSON.stringify(options.agent)},"stream":"${stream}","sequence":`;
    this.#held = new HoldQueue({ limit: this.#limits.maxHeld, timeoutMs: this.#limits.holdTimeoutMs });
    this.#sync = new GroupSync({
      directory: options.directory,
      intervalMs: this.#limits.syncIntervalMs,
      position: () => this.#written,
      verify: () => this.#active.assertInPlace(),
      onDurable: (position) => this.#onDurable(position),
      onFailure: (error) => this.#fail(error),
    });
    this.#sync.markDirectory();
  }

  /** Opens a spool and recovers what a killed process left. Rejects with `conflict` while another process has it. */
  static async open(options: SpoolOptions): Promise<Spool> {
    const { directory, agent, sealer } = options;
    const { stream, fresh } = await openStream(directory, agent);
    const lock = await LockFile.acquire(join(directory, 'lock'));
    try {
      const recovered = await recoverSpool(directory);
      const cursor = Cursor.open(join(directory, 'cursor'));
      const spool = new Spool(options, stream, recovered, { cursor, lock });
      if (fresh) await spool.append(sealer.seal({ type: 'audit.stream_started', fields: { version: 1 } }), true);
      if (recovered.damage) spool.#note(recovered.damage);
      return spool;
    } catch (cause) {
      await lock[Symbol.asyncDispose]();
      throw cause;
    }
  }

  /** The last sequence that was given out. */
  get written(): number {
    return this.#written;
  }

  /** The last sequence that survives power loss: what may be delivered. */
  get durable(): number {
    return this.#durable;
  }

  /** The last sequence that was acknowledged. */
  get acknowledged(): number {
    return this.keeps.cursor.value;
  }

  /** How many events wait to be acknowledged, and how much disk the queue takes. */
  get backlog(): { readonly events: number; readonly bytes: number; readonly held: number } {
    return { events: this.#written - this.acknowledged, bytes: this.#bytes, held: this.#held.size };
  }

  /** Why the spool takes nothing any more, once it does not. */
  get failure(): PosternError | undefined {
    return this.#failure;
  }

  /**
   * Writes events, all or none, before it returns the sequence of the last one.
   * Only a full queue answers with a promise, which rejects with
   * `audit_unavailable` where no room came in time. Throws `audit_unavailable`
   * where the disk refuses; nothing was accepted then.
   */
  append(events: readonly SealedEvent[], closing = false): number | Promise<number> {
    if (this.#failure) throw this.#failure;
    const batch: Batch = { events, closing };
    if (closing || this.#held.size === 0) {
      const position = this.#write(batch);
      if (position !== undefined) return position;
    }
    return this.#held.add(batch);
  }

  /** Resolves once everything that was written before the call survives power loss. */
  flush(): Promise<void> {
    return this.#sync.flush();
  }

  /** Reads what was not acknowledged, from its beginning. One reader at a time; dispose it before the spool. */
  reader(): SpoolReader {
    return new SpoolReader({
      segments: () => this.#segments,
      recent: this.#recent,
      range: () => ({ after: this.acknowledged, upTo: this.#durable }),
      onDamage: (damage) => this.#note(damage),
    });
  }

  /** Says that everything up to this sequence is durable elsewhere, and lets it go. */
  acknowledge(sequence: number): void {
    if (sequence <= this.acknowledged) return;
    if (sequence > this.#durable)
      throw new PosternError('internal', `event ${sequence} was acknowledged, and ${this.#durable} were sent`);
    this.#removeUpTo(sequence);
    this.#recent.release(sequence);
    if (this.keeps.cursor.advance(sequence)) this.#sync.join(this.keeps.cursor.file);
    for (const damage of this.#notes.splice(0)) this.#note(damage);
    this.#held.drain((batch) => this.#write(batch));
    this.changed.ring();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const closed = new PosternError('audit_unavailable', 'the audit queue is closed');
    const failure = this.#failure;
    this.#failure ??= closed;
    this.#held.rejectAll(closed);
    this.changed.ring();
    try {
      if (!failure) await this.#sync[Symbol.asyncDispose]();
    } finally {
      this.#active.close();
      this.keeps.cursor.close();
      await this.keeps.lock[Symbol.asyncDispose]();
    }
  }

  #write({ events, closing }: Batch): number | undefined {
    const { bytes, frames } = this.#memory.put(this.#linesOf(events));
    const limit = this.#limits.maxBytes + (closing ? this.#limits.reserveBytes : 0);
    if (this.#bytes + bytes.length > limit) this.#dropAcknowledged();
    if (this.#bytes + bytes.length > limit) return undefined;
    if (this.#active.size > 0 && this.#active.size + bytes.length > this.#limits.segmentBytes) this.#rotate();
    const segment = this.#active;
    this.#sync.begin();
    const start = segment.size;
    segment.append(bytes);
    this.#bytes += bytes.length;
    const { agent, stream } = this.#origin;
    frames.forEach(({ payload, end }, index) => {
      const key = { id: events[index]?.id ?? '', agent, stream, sequence: this.#written + 1 + index };
      this.#recent.add({ record: new KeyedRecord(key, payload), segment, end: start + end });
    });
    this.#written += events.length;
    this.#sync.mark(segment.file);
    return this.#written;
  }

  #linesOf(events: readonly SealedEvent[]): string[] {
    return events.map(({ before, after }, index) => before + this.#stamp + String(this.#written + 1 + index) + after);
  }

  #rotate(): void {
    const first = this.#written + 1;
    let next: ActiveSegment;
    try {
      next = new ActiveSegment(segmentPath(this.options.directory, first), first, 0);
    } catch (cause) {
      throw new PosternError('audit_unavailable', 'the disk refuses another file of audit events', { cause });
    }
    this.#sync.retire(this.#active.file);
    this.#sync.markDirectory();
    this.#active = next;
    this.#segments.push(next);
  }

  /** Lets the segment go that is being written, where everything in it was acknowledged. */
  #dropAcknowledged(): void {
    if (this.#active.size === 0 || this.acknowledged < this.#written) return;
    this.#rotate();
    this.#removeUpTo(this.acknowledged);
  }

  #removeUpTo(sequence: number): void {
    for (let next = this.#segments[1]; next && next.first <= sequence + 1; next = this.#segments[1]) {
      const [done] = this.#segments;
      if (!done) return;
      rmSync(done.path, { force: true });
      this.#segments.shift();
      this.#bytes -= done.size;
    }
  }

  /** Says in the stream itself that bytes of it are in quarantine; later, where there is no room for it now. */
  #note(damage: Damage): void {
    try {
      const fields = { file: damage.file, bytes: damage.bytes, after: damage.after, before: damage.before };
      if (this.#write({ events: this.options.sealer.seal({ type: 'audit.quarantined', fields }), closing: true }))
        return;
    } catch (cause) {
      if (!PosternError.is(cause) || cause.code !== 'audit_unavailable') throw cause;
    }
    this.#notes.push(damage);
  }

  #onDurable(position: number): void {
    this.#durable = position;
    this.changed.ring();
  }

  #fail(error: PosternError): void {
    this.#failure ??= error;
    this.#held.rejectAll(error);
    this.changed.ring();
  }
}
