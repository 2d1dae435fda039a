import { open, type FileHandle } from 'node:fs/promises';
import { PosternError } from '@postern/plugin-sdk';
import { ownRecord, type AuditRecord } from '../event.js';
import { framesIn, maxFrameBytes } from './framing.js';
import { quarantine, type Damage } from './quarantine.js';
import type { RecentRecord, RecentRecords } from './recent-records.js';
import { type Segment } from './segment.js';

const chunkBytes = 4 * maxFrameBytes;

export interface SpoolView {
  /** In order; the last one may still grow. */
  segments(): readonly Segment[];
  readonly recent: RecentRecords;
  /** The last sequence that is not wanted any more, and the last one that may be read. */
  range(): { readonly after: number; readonly upTo: number };
  onDamage(damage: Damage): void;
}

/** A batch is complete once it has as many events or bytes. */
export interface BatchLimit {
  readonly events: number;
  readonly bytes: number;
}

/**
 * Reads a spool's records in order, each once, with bounded memory: from memory
 * while the reader keeps up, and from the disk otherwise. Damage is kept in
 * quarantine, reported and passed over; it never holds up what follows.
 */
export class SpoolReader implements AsyncDisposable {
  #segment: Segment | undefined;
  #handle: FileHandle | undefined;
  #offset = 0;
  #last = 0;
  /** The last record that came from memory, where the disk has not been read since. */
  #skipped: RecentRecord | undefined;
  #pending: { readonly file: string; readonly bytes: number; readonly after: number }[] = [];

  constructor(private readonly view: SpoolView) {}

  /** The next records, at least one if there is one. */
  async read(limit: BatchLimit): Promise<AuditRecord[]> {
    const recent = this.#readRecent(limit);
    return recent.length > 0 ? recent : this.#readFiles(limit);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#handle?.close();
    this.#handle = undefined;
  }

  #readRecent(limit: BatchLimit): AuditRecord[] {
    const { after, upTo } = this.view.range();
    const records: AuditRecord[] = [];
    let bytes = 0;
    for (const recent of this.view.recent.between(Math.max(this.#last, after), upTo)) {
      if (records.length >= limit.events || bytes >= limit.bytes) break;
      records.push(recent.record);
      bytes += recent.record.line.length;
      this.#skipped = recent;
    }
    const [first] = records;
    if (first) this.#settle(first.key.sequence);
    this.#last = records.at(-1)?.key.sequence ?? this.#last;
    return records;
  }

  async #readFiles(limit: BatchLimit): Promise<AuditRecord[]> {
    await this.#catchUp();
    const batch = { records: [] as AuditRecord[], bytes: 0 };
    for (;;) {
      const segment = await this.#current();
      if (!segment) return batch.records;
      const available = segment.size - this.#offset;
      if (available === 0) {
        if (!(await this.#advance())) return batch.records;
        continue;
      }
      const chunk = await this.#chunk(Math.min(available, chunkBytes));
      if (await this.#take(segment, { chunk, atEnd: chunk.length === available }, limit, batch)) return batch.records;
    }
  }

  /** Goes on in the file that has what follows the records that came from memory. */
  async #catchUp(): Promise<void> {
    const skipped = this.#skipped;
    if (!skipped) return;
    const segment = this.view.segments().findLast(({ first }) => first <= this.#last + 1);
    if (!segment) return;
    await this.#openSegment(segment);
    this.#offset = segment === skipped.segment ? skipped.end : 0;
    this.#skipped = undefined;
  }

  async #current(): Promise<Segment | undefined> {
    if (this.#segment) return this.#segment;
    const [first] = this.view.segments();
    if (first) await this.#openSegment(first);
    return first;
  }

  async #openSegment(segment: Segment): Promise<void> {
    await this.#handle?.close();
    this.#handle = await open(segment.path, 'r');
    this.#segment = segment;
    this.#offset = 0;
  }

  async #advance(): Promise<boolean> {
    const next = this.view.segments().find(({ first }) => first > (this.#segment?.first ?? 0));
    if (!next) return false;
    await this.#openSegment(next);
    return true;
  }

  async #chunk(length: number): Promise<Buffer> {
    const target = Buffer.allocUnsafe(length);
    const { bytesRead } = (await this.#handle?.read(target, 0, length, this.#offset)) ?? { bytesRead: 0 };
    if (bytesRead < length)
      throw new PosternError('internal', `${this.#segment?.path} is shorter than what was written to it`);
    return target;
  }

  /** Returns true once the batch is full or the range is used up. */
  async #take(
    segment: Segment,
    { chunk, atEnd }: { readonly chunk: Buffer; readonly atEnd: boolean },
    limit: BatchLimit,
    batch: { records: AuditRecord[]; bytes: number },
  ): Promise<boolean> {
    const start = this.#offset;
    const range = this.view.range();
    for (const piece of framesIn(chunk, atEnd)) {
      const record = piece.kind === 'record' ? readRecord(piece.payload) : undefined;
      if (record && record.key.sequence > range.upTo) return true;
      if (record) {
        this.#settle(record.key.sequence);
        if (record.key.sequence > range.after) {
          batch.records.push(record);
          batch.bytes += record.line.length;
        }
      } else if (piece.kind !== 'torn') {
        await this.#keep(segment, start + piece.start, chunk.subarray(piece.start, piece.end));
      }
      this.#offset = start + piece.end;
      if (batch.records.length >= limit.events || batch.bytes >= limit.bytes) return true;
    }
    return false;
  }

  async #keep(segment: Segment, offset: number, bytes: Buffer): Promise<void> {
    const file = await quarantine(segment.path, offset, bytes);
    if (file !== undefined) this.#pending.push({ file, bytes: bytes.length, after: this.#last });
  }

  /** Only the record behind the damage tells how much is missing. */
  #settle(sequence: number): void {
    for (const damage of this.#pending.splice(0)) this.view.onDamage({ ...damage, before: sequence });
    this.#last = sequence;
  }
}

/** `undefined` for a record that is whole and nevertheless no event. */
function readRecord(payload: Buffer): AuditRecord | undefined {
  try {
    return ownRecord(payload);
  } catch {
    return undefined;
  }
}
