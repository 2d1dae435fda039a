import type { AuditRecord } from '../event.js';
import type { Segment } from './segment.js';

/** A record as it was written, and where it ends in its segment. */
export interface RecentRecord {
  readonly record: AuditRecord;
  readonly segment: Segment;
  readonly end: number;
}

/**
 * The newest records of a spool, in memory: whoever keeps up reads them here
 * and not from the disk. Bounded: where nobody takes them, they are forgotten,
 * since the disk has them.
 */
export class RecentRecords {
  /** Without a gap in their sequence. */
  #records: RecentRecord[] = [];
  #bytes = 0;

  constructor(private readonly maxBytes: number) {}

  add(recent: RecentRecord): void {
    const { key, line } = recent.record;
    const last = this.#records.at(-1);
    const isNext = last !== undefined && last.record.key.sequence + 1 === key.sequence;
    if (!isNext || this.#bytes + line.length > this.maxBytes) this.#clear();
    this.#records.push(recent);
    this.#bytes += line.length;
  }

  /** Those behind a sequence, as far as another; none where the first of them is not here any more. */
  between(after: number, upTo: number): readonly RecentRecord[] {
    const first = this.#records[0]?.record.key.sequence ?? Infinity;
    return after + 1 < first ? [] : this.#records.slice(after + 1 - first, Math.max(0, upTo + 1 - first));
  }

  /** Lets go what nobody will ask for again. */
  release(upTo: number): void {
    const first = this.#records[0]?.record.key.sequence ?? Infinity;
    for (const { record } of this.#records.splice(0, Math.max(0, upTo + 1 - first))) this.#bytes -= record.line.length;
  }

  #clear(): void {
    this.#records = [];
    this.#bytes = 0;
  }
}
