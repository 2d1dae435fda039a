import type { EventFields } from './journal.js';
import { Step, StepQueue } from './step.js';
import type { ErrorFields } from './wire.js';

type Result = EventFields<'result'>;
type Answer = Omit<Result, 'sequence'>;

export interface PipelineOptions {
  report(result: Result): void;
  /** An error that belongs to no statement. */
  reportFailure(error: ErrorFields): void;
  /** SQL dropped names, or gave them to something else, in a message sent at this moment. */
  namesChanged(change: 'dropped' | 'doubtful', order: number): void;
  /** The transaction ended, and with it every portal that was bound before this moment. */
  portalsEnded(order: number): void;
  /** Bytes of COPY data since the last call. */
  copyBytes(direction: 'in' | 'out' | 'both'): number;
  /** Milliseconds of a steady clock. */
  now(): number;
}

/**
 * Pairs what the server answers with what the client asked. The server answers
 * in order; after an error in the extended protocol it skips everything up to
 * the next Sync. An answer that does not fit is ignored: the next
 * ReadyForQuery puts both sides in step again.
 */
export class Pipeline {
  readonly #steps = new StepQueue();
  /** Set after an error in the extended protocol, until the Sync is answered: the statement that failed. */
  #failing: { readonly sequence: number | undefined } | undefined;
  /** True while the server takes COPY data and ignores any Sync. */
  #takesCopy = false;
  /** True where that may have been so in this segment. */
  #lostSync = false;
  /** The statement of this segment that was answered last. */
  #lastSequence: number | undefined;
  #queries = 0;
  #newestQuery = 0;
  #drained: { readonly below: number; resolve(): void } | undefined;

  constructor(private readonly options: PipelineOptions) {}

  /** How many answers are due. */
  get length(): number {
    return this.#steps.length;
  }

  /** When the newest simple query was sent that is not answered: it can change names meanwhile. 0 where there is none. */
  get newestQuery(): number {
    return this.#queries === 0 ? 0 : this.#newestQuery;
  }

  push(step: Step): void {
    // The server reads and ignores a Sync while it waits for COPY data.
    if (step.kind === 'sync' && this.#takesCopy) return;
    // Nobody answers what comes between an error and the next Sync: to wait for it would be for ever.
    if (this.#skipsAtOnce && step.kind !== 'sync' && this.#steps.length === 0) {
      this.#failing = { sequence: this.#skipped(step, this.#failing?.sequence) };
      return;
    }
    if (step.sequence !== undefined) step.since = this.options.now();
    if (step.kind === 'query') {
      this.#queries += 1;
      this.#newestQuery = step.order;
    }
    this.#steps.push(step);
  }

  /** Settles once fewer answers than that are due. */
  below(count: number): Promise<void> {
    return new Promise((resolve) => (this.#drained = { below: count, resolve }));
  }

  /**
   * The client has sent its last COPY data, perhaps before the server has said that it takes any: then it is remembered
   * which Sync came before. Nothing answers it, so that a second one behind it is not remembered.
   */
  copyEnds(order: number): void {
    if (!this.#takesCopy && this.#steps.length > 0 && this.#steps.at(this.#steps.length - 1)?.kind !== 'copy-end')
      this.#steps.push(new Step('copy-end', order));
    this.#takesCopy = false;
  }

  /** The server accepts COPY data, or begins to send it. */
  copyBegins(direction: 'in' | 'out' | 'both'): void {
    const step = this.#head();
    if (step?.kind !== 'execute' && step?.kind !== 'query') return;
    step.copy = direction;
    if (direction !== 'in' || step.kind !== 'execute') return;
    this.#lostSync = true;
    const end = this.#steps.findIndex(({ kind }) => kind === 'copy-end');
    this.#takesCopy = end < 0;
    this.#steps.dropBehindFirst(end < 0 ? Infinity : end, ({ kind }) => kind === 'sync' || kind === 'copy-end');
  }

  /** ParseComplete, BindComplete or CloseComplete. */
  settled(kind: 'parse' | 'bind' | 'close'): void {
    if (this.#head()?.kind !== kind) return;
    this.#shift()?.definition?.settle(true);
  }

  /** CommandComplete. */
  completed(tag: string): void {
    const step = this.#head();
    if (step?.kind !== 'execute' && step?.kind !== 'query') return;
    const end = endOfWords(tag);
    const command = tag.slice(0, end);
    const answer: Answer = { outcome: 'completed', command };
    if (end < tag.length) answer.rows = Number(tag.slice(tag.lastIndexOf(' ') + 1));
    this.#answer(step, answer);
    if (command === 'DISCARD ALL' || command === 'DEALLOCATE ALL') this.options.namesChanged('dropped', step.order);
    // Another transaction may begin at once, so that the server is never idle.
    if (command === 'COMMIT') this.options.portalsEnded(step.order);
    if (command === 'DEALLOCATE' || command === 'PREPARE') this.options.namesChanged('doubtful', step.order);
  }

  /** EmptyQueryResponse. */
  empty(): void {
    const step = this.#head();
    if (step?.kind === 'execute' || step?.kind === 'query') this.#answer(step, { outcome: 'empty' });
  }

  /** PortalSuspended. */
  suspended(): void {
    const step = this.#head();
    if (step?.kind === 'execute') this.#answer(step, { outcome: 'suspended', rows: step.maxRows });
  }

  /** FunctionCallResponse. */
  returned(): void {
    const step = this.#head();
    if (step?.kind === 'call') this.#answer(step, { outcome: 'completed' });
  }

  /** ErrorResponse. */
  error(error: ErrorFields): void {
    if (!this.#failing) this.#passCopyEnds();
    const step = this.#failing ? undefined : this.#steps.at(0);
    if (!step) return this.options.reportFailure(error);
    this.#takesCopy = false;
    const failed: Answer = { outcome: 'failed', ...problemOf(error) };
    if (step.kind === 'query' || step.kind === 'call') {
      step.failed = true;
      return this.#answer(step, failed);
    }
    // What fails while the Sync is processed is the commit of what ran before it.
    if (step.kind === 'sync') return this.#blame(this.#lastSequence, failed, error);
    const at = this.#steps.findIndex(({ kind, sequence }) => kind === 'sync' || sequence !== undefined);
    const sequence = this.#steps.at(at)?.sequence;
    this.#failing = { sequence };
    if (sequence !== undefined && sequence === step.sequence) this.#report(step, failed);
    else this.#blame(sequence, failed, error);
    if (!this.#skipsAtOnce) return;
    const next = this.#steps.findIndex(({ kind }) => kind === 'sync');
    this.#skip(next < 0 ? this.#steps.length : next);
  }

  /** ReadyForQuery, `idle` where the server is in no transaction. */
  ready(idle: boolean): void {
    const end = this.#steps.findIndex((step) => (this.#failing ? step.kind === 'sync' : step.endsSegment));
    this.#takesCopy = false;
    this.#lostSync = false;
    this.#lastSequence = undefined;
    if (end >= 0) this.#skip(end);
    // The Sync was sent into a COPY that failed before it read anything: it stands in the queue no more.
    else if (this.#failing) this.#skipSegment();
    this.#failing = undefined;
    if (end < 0) return;
    const last = this.#shift();
    if (idle && last) this.options.portalsEnded(last.order);
    // A server that ends a query without a word has run it all the same.
    if (last && last.sequence !== undefined && last.parts === 0)
      this.options.report({ sequence: last.sequence, outcome: 'completed' });
  }

  /** The connection is over: what was not answered never will be. */
  finish(): void {
    let last = this.#failing?.sequence;
    for (let step = this.#steps.shift(); step; step = this.#steps.shift()) {
      if (step.sequence === undefined || step.sequence === last || step.kind === 'parse') continue;
      last = step.sequence;
      if (!step.failed) this.options.report({ sequence: step.sequence, outcome: 'unanswered' });
    }
  }

  #skipSegment(): void {
    const next = this.#steps.findIndex((step) => step.endsSegment);
    this.#skip(next < 0 ? this.#steps.length : next);
  }

  /** Reports so many steps as skipped, one time for each statement, and not the one that failed. */
  #skip(count: number): void {
    let last = this.#failing?.sequence;
    for (let left = count; left > 0; left -= 1) {
      const step = this.#shift();
      if (step) last = this.#skipped(step, last);
    }
    if (this.#failing) this.#failing = { sequence: last };
  }

  /**
   * Returns the statement that was reported last: a statement may have several steps. An older one has its results: only
   * the name of its portal is meant, by an Execute whose own Bind failed before it came.
   */
  #skipped({ definition, sequence }: Step, last: number | undefined): number | undefined {
    definition?.settle(false);
    if (sequence === undefined || (last !== undefined && sequence <= last)) return last;
    this.options.report({ sequence, outcome: 'skipped' });
    return sequence;
  }

  /** Where a Sync was sent into a COPY, nobody knows whether the server has read it: then only its answer tells. */
  get #skipsAtOnce(): boolean {
    return this.#failing !== undefined && !this.#lostSync;
  }

  /** What the server is answering. A Sync that it answers otherwise than by ReadyForQuery was never read. */
  #head(): Step | undefined {
    if (this.#failing) return undefined;
    this.#passCopyEnds();
    while (this.#steps.at(0)?.kind === 'sync') {
      this.#steps.shift();
      this.#passCopyEnds();
    }
    return this.#steps.at(0);
  }

  /** The end of a COPY that never began: the server ignores it. */
  #passCopyEnds(): void {
    while (this.#steps.at(0)?.kind === 'copy-end') this.#steps.shift();
  }

  #answer(step: Step, answer: Answer): void {
    step.parts += 1;
    if (step.kind === 'query') answer.part = step.parts;
    this.#report(step, answer);
    if (step.kind === 'execute') this.#shift();
  }

  #report(step: Step, answer: Answer): void {
    const now = this.options.now();
    answer.durationMs = Math.round((now - step.since) * 1000) / 1000;
    if (step.copy) {
      answer.copy = step.copy;
      answer.copyBytes = this.options.copyBytes(step.copy);
    }
    step.since = now;
    step.copy = undefined;
    this.#lastSequence = step.sequence;
    if (step.sequence !== undefined) this.#tell(step.sequence, answer);
  }

  #blame(sequence: number | undefined, answer: Answer, error: ErrorFields): void {
    if (sequence === undefined) this.options.reportFailure(error);
    else this.#tell(sequence, answer);
  }

  #tell(sequence: number, answer: Answer): void {
    const result: Result = answer as Result;
    result.sequence = sequence;
    this.options.report(result);
  }

  #shift(): Step | undefined {
    const step = this.#steps.shift();
    if (step?.kind === 'query') this.#queries -= 1;
    this.#wake();
    return step;
  }

  #wake(): void {
    if (!this.#drained || this.#steps.length >= this.#drained.below) return;
    this.#drained.resolve();
    this.#drained = undefined;
  }
}

export const problemOf = ({ severity, sqlstate, message }: ErrorFields): EventFields<'failure'> => ({
  severity,
  sqlstate,
  message: message.slice(0, 8192),
});

/** Where the words of a command tag end: `INSERT 0 5`, `SELECT 5`, `CREATE TABLE`. */
function endOfWords(tag: string): number {
  let end = tag.length;
  for (let at = tag.length - 1; at > 0; at -= 1) {
    const character = tag.charCodeAt(at);
    if (character === 0x20) end = at;
    else if (character < 0x30 || character > 0x39) break;
  }
  return end;
}
