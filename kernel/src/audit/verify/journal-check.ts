import { entriesPerFile, journalFiles, journalPath, readJournalFile } from '../log/index.js';
import { PosternError } from '@postern/plugin-sdk';
import type { Findings, NoticeKind, ProblemKind } from './report.js';

/** How far the two are searched for the place where they agree again. */
const reach = 64;
/** What no line is: the lines of a journal hold no newline. */
const none = Buffer.from('\n');
/** How many lines in a row may differ before a file is given up. */
const patience = 16;

/**
 * Compares the journal's lines with the entries, file by file, and says in what
 * they differ. After a difference it finds its way back, so that one dropped
 * line is one problem.
 */
export class JournalCheck {
  #file = -1;
  #reader: AsyncGenerator<Buffer[], void> | undefined;
  #queue: Buffer[] = [];
  #previous: readonly Buffer[] = [];
  #differing = 0;
  #missing: { readonly first: number; count: number } | undefined;

  constructor(
    private readonly directory: string,
    private readonly problems: Findings<ProblemKind>,
    private readonly notices: Findings<NoticeKind>,
  ) {}

  /** The next lines as they stand, as many as asked for where there are so many. The entries of one file only. */
  async peek(index: number, count: number): Promise<readonly Buffer[]> {
    await this.#enter(Math.floor(index / entriesPerFile));
    await this.#fill(count + reach);
    return this.#queue.slice(0, count);
  }

  /** Compares the next entries, which begin at `index` and belong to one file. */
  async compare(index: number, entries: readonly Buffer[]): Promise<void> {
    await this.peek(index, entries.length);
    for (let at = this.#agreeing(entries, 0); at < entries.length; at += this.#agreeing(entries, at)) {
      if (this.#differing >= patience) return;
      at += this.#step(index + at, entries.slice(at, at + reach + 1), [...this.#previous, ...entries.slice(0, at)]);
    }
    this.#previous = entries.slice(-1);
  }

  /** Reports what stands behind the last entry: lines that no checkpoint signs yet. */
  async finish(size: number): Promise<void> {
    this.#reportMissing();
    let unsigned = 0;
    if (this.#differing < patience)
      for (await this.#fill(1); this.#queue.length > 0; await this.#fill(1)) unsigned += this.#queue.splice(0).length;
    await this.#reader?.return();
    for (const file of (await journalFiles(this.directory)).filter((number) => number > this.#file))
      for await (const { lines } of readJournalFile(this.directory, file)) unsigned += lines.length;
    if (unsigned > 0) this.notices.add('unsigned', `entry ${size}`, `${unsigned} lines are behind the checkpoint`);
  }

  /** Takes the lines that are as they should be, and returns how many. */
  #agreeing(entries: readonly Buffer[], from: number): number {
    let count = 0;
    while (entries[from + count]?.equals(this.#queue[count] ?? none) === true) count += 1;
    if (count === 0) return 0;
    this.#queue.splice(0, count);
    this.#differing = 0;
    return count;
  }

  /** Judges one entry whose line is not as it should be, or several that are gone together; returns how many. */
  #step(index: number, [entry, ...next]: readonly Buffer[], before: readonly Buffer[]): number {
    const [line] = this.#queue;
    if (!entry) return 1;
    return line ? this.#differ(index, { entry, line, next, before }) : this.#noteMissing(index);
  }

  #differ(index: number, difference: Difference): number {
    const { entry, line, next, before } = difference;
    const gone = next.findIndex((later) => later.equals(line)) + 1;
    const come = this.#queue.slice(1, reach).findIndex((later) => later.equals(entry)) + 1;
    if (gone === 1 && come === 1) {
      this.#queue.splice(0, 2);
      this.problems.add('journal_reordered', `entry ${index}`, 'this line and the next have changed places');
      return 2;
    }
    if (gone > 0 && (come === 0 || gone <= come)) {
      this.problems.add('journal_dropped', `entry ${index}`, `${gone} of the lines that stood here are gone`);
      return gone;
    }
    if (come > 0) {
      this.#queue.splice(0, come);
      const kind = before.some((earlier) => earlier.equals(line)) ? 'journal_duplicated' : 'journal_inserted';
      this.problems.add(kind, `entry ${index}`, `${come} lines stand before it that do not belong here`);
      return 0;
    }
    this.#queue.shift();
    this.#differing += 1;
    this.problems.add('journal_changed', `entry ${index}`, 'the line is not what was written');
    return 1;
  }

  #noteMissing(index: number): number {
    this.#missing ??= { first: index, count: 0 };
    this.#missing.count += 1;
    return 1;
  }

  #reportMissing(): void {
    if (!this.#missing) return;
    const { first, count } = this.#missing;
    this.problems.add('journal_missing', `entry ${first}`, `the lines of ${count} entries are not there`);
    this.#missing = undefined;
  }

  async #enter(file: number): Promise<void> {
    if (file === this.#file) return;
    this.#reportMissing();
    await this.#fill(1);
    if (this.#queue.length > 0 && this.#differing < patience)
      this.problems.add('journal_inserted', `entry ${file * entriesPerFile}`, 'the file before has too many lines');
    await this.#reader?.return();
    this.#file = file;
    this.#queue = [];
    this.#differing = 0;
    this.#reader = this.#lines(file);
  }

  async #fill(count: number): Promise<void> {
    while (this.#queue.length < count && this.#reader) {
      const next = await this.#reader.next();
      if (next.done === true) return;
      for (const line of next.value) this.#queue.push(line);
    }
  }

  async *#lines(file: number): AsyncGenerator<Buffer[], void> {
    try {
      // What lacks its newline is no line yet: it is missing where it is signed, and torn where it is not.
      for await (const { lines } of readJournalFile(this.directory, file)) yield [...lines];
    } catch (cause) {
      const at = journalPath('', file).slice(1);
      this.problems.add('journal_changed', at, PosternError.from(cause).message);
    }
  }
}

interface Difference {
  readonly entry: Buffer;
  readonly line: Buffer;
  /** The entries behind, and those of the same bundle before. */
  readonly next: readonly Buffer[];
  readonly before: readonly Buffer[];
}
