import type { Bell } from '../bell.js';
import { entriesPerFile, journalFiles, readJournal, type JournalEnd } from '../log/index.js';
import { timeOf, type CompiledFilter } from './filter.js';
import { backwards, forwards, type FileEnd, type JournalLine } from './lines.js';

/** A log that is being written in this process: readers see what is durable, and hear of more at once. */
export interface LiveLog {
  readonly end: JournalEnd;
  readonly changed: Bell;
}

/** Walks over the lines of a journal in either direction, and past the files that lie outside the time that is wanted. */
export class JournalScan {
  /** The earliest and the latest time in files that will not change any more. */
  readonly #spans = new Map<number, { readonly from: string; readonly to: string }>();

  constructor(
    readonly directory: string,
    readonly live: LiveLog | undefined,
  ) {}

  /** Everything before this index may be read. */
  get readable(): number {
    return this.live?.end.size ?? Infinity;
  }

  /** How many lines there are to read. */
  async size(): Promise<number> {
    if (this.live) return this.live.end.size;
    let size = ((await journalFiles(this.directory)).at(-1) ?? 0) * entriesPerFile;
    for await (const { first, lines } of readJournal(this.directory, size)) size = first + lines.length;
    return size;
  }

  /** Lines from an index on. */
  async *oldestFirst(filter: CompiledFilter, from: number): AsyncGenerator<JournalLine> {
    for (const file of await journalFiles(this.directory)) {
      if ((file + 1) * entriesPerFile <= from || this.#isOutside(file, filter)) continue;
      yield* this.#watched(file, forwards(this.directory, file, from));
    }
  }

  /** Lines below an index. */
  async *newestFirst(filter: CompiledFilter, below: number): AsyncGenerator<JournalLine> {
    const files = await journalFiles(this.directory);
    const last = files.at(-1);
    for (const file of files.reverse()) {
      if (file * entriesPerFile >= below || this.#isOutside(file, filter)) continue;
      const end = file === last ? this.#liveEnd(file) : { lines: entriesPerFile };
      yield* this.#watched(file, backwards(this.directory, file, { end, below }));
    }
  }

  #isOutside(file: number, { from, to }: CompiledFilter): boolean {
    const span = this.#spans.get(file);
    return span !== undefined && (span.to < from || span.from >= to);
  }

  async *#watched(file: number, groups: AsyncGenerator<JournalLine[]>): AsyncGenerator<JournalLine> {
    const span = new Span();
    for await (const lines of groups) {
      for (const item of lines) {
        if (item.index >= this.readable) return;
        span.add(item.line);
        yield item;
      }
    }
    if (span.lines === entriesPerFile) this.#spans.set(file, { from: span.from, to: span.to });
  }

  /** The durable end of the file that is being written; `undefined` where the file itself must tell. */
  #liveEnd(file: number): FileEnd | undefined {
    if (!this.live) return undefined;
    const { size, bytes } = this.live.end;
    const lines = size - file * entriesPerFile;
    return lines > 0 && lines < entriesPerFile ? { lines, bytes } : undefined;
  }
}

/** The times in a file, as far as it was read. */
class Span {
  lines = 0;
  from = '\uffff';
  to = '';

  add(line: Buffer): void {
    const time = timeOf(line);
    this.lines += 1;
    if (time < this.from) this.from = time;
    if (time > this.to) this.to = time;
  }
}
