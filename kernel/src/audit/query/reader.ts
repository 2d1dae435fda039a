import { setTimeout as sleep } from 'node:timers/promises';
import { PosternError } from '@postern/plugin-sdk';
import type { AuditEvent } from '../event.js';
import { CompiledFilter, type EventFilter } from './filter.js';
import type { JournalLine } from './lines.js';
import { JournalScan, type LiveLog } from './scan.js';
import { wholeEvent } from './whole-event.js';

export interface EventQuery extends EventFilter {
  /** Oldest first or newest first, in the order of the log. Newest first where absent. */
  readonly order?: 'oldest' | 'newest';
  /** Where the last page said to go on. */
  readonly cursor?: number;
  /** How many events a page holds at most: 1 to 1,000, 100 where absent. */
  readonly limit?: number;
}

export interface FoundEvent {
  /** The index of the entry, which proofs are about. */
  readonly index: number;
  readonly event: AuditEvent;
}

export interface EventPage {
  readonly events: readonly FoundEvent[];
  /** Set where there may be more: a page can end early, or empty, when much had to be looked through. */
  readonly next?: number;
}

export interface ReaderOptions {
  readonly directory: string;
  /** Absent where another process writes the log. */
  readonly live?: LiveLog;
  /** How many lines one page looks through at most. */
  readonly scanLimit?: number;
  /** How often the journal is looked at for more where no live log says so. */
  readonly pollMs?: number;
}

/** Reads the events of one log from its journal, without holding more than a piece of it. */
export class AuditReader {
  readonly #scan: JournalScan;

  constructor(private readonly options: ReaderOptions) {
    this.#scan = new JournalScan(options.directory, options.live);
  }

  /** One page of the events that match. Rejects with `invalid_argument` for a limit out of range. */
  async find(query: EventQuery, signal?: AbortSignal): Promise<EventPage> {
    const limit = checkedLimit(query.limit);
    const filter = new CompiledFilter(query);
    const { lines, step } = this.#linesFor(query, filter);
    const events: FoundEvent[] = [];
    let budget = this.options.scanLimit ?? 500_000;
    for await (const line of lines) {
      signal?.throwIfAborted();
      const event = await this.#match(filter, line);
      if (event) events.push({ index: line.index, event });
      budget -= 1;
      if (events.length === limit || budget === 0) return { events, next: line.index + step };
    }
    return { events };
  }

  /**
   * Follows the log from an index on, or from its end: events that match, as
   * they become durable, until the signal aborts.
   */
  async *tail(filter: EventFilter, signal: AbortSignal, since?: number): AsyncGenerator<FoundEvent> {
    const compiled = new CompiledFilter(filter);
    const everything = new CompiledFilter({});
    let next = since ?? (await this.#scan.size());
    while (!signal.aborted) {
      const before = next;
      for await (const line of this.#scan.oldestFirst(everything, next)) {
        if (signal.aborted) return;
        next = line.index + 1;
        const event = await this.#match(compiled, line);
        if (event) yield { index: line.index, event };
      }
      if (next === before) await this.#more(next, signal);
    }
  }

  #linesFor(
    { order, cursor }: EventQuery,
    filter: CompiledFilter,
  ): { readonly lines: AsyncGenerator<JournalLine>; readonly step: 0 | 1 } {
    if (order === 'oldest') return { lines: this.#scan.oldestFirst(filter, cursor ?? 0), step: 1 };
    return { lines: this.#scan.newestFirst(filter, cursor ?? Infinity), step: 0 };
  }

  async #match(filter: CompiledFilter, { index, line }: JournalLine): Promise<AuditEvent | undefined> {
    if (!filter.admits(line)) return undefined;
    const event = await wholeEvent(this.options.directory, index, line);
    return event && filter.matches(event) ? event : undefined;
  }

  async #more(next: number, signal: AbortSignal): Promise<void> {
    const { live, pollMs = 250 } = this.options;
    if (!live) await sleep(pollMs, undefined, { signal, ref: false }).catch(() => undefined);
    else if (live.end.size <= next) await live.changed.wait(signal);
  }
}

function checkedLimit(limit = 100): number {
  if (Number.isInteger(limit) && limit >= 1 && limit <= 1000) return limit;
  throw new PosternError('invalid_argument', 'a page holds 1 to 1000 events');
}
