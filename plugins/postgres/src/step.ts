import type { Definition } from './name-table.js';

/** Something that a client asked for and the server has not finished answering. */
export class Step {
  /** Statements of a simple query that were answered. */
  parts = 0;
  failed = false;
  copy: 'in' | 'out' | 'both' | undefined;

  /** Most rows that an Execute asks for. */
  maxRows = 0;
  /** When it was sent, in milliseconds; once a part was answered, when that was. */
  since = 0;

  constructor(
    /** `copy-end` is CopyDone or CopyFail, which no answer of its own follows. */
    readonly kind: 'parse' | 'bind' | 'close' | 'execute' | 'query' | 'call' | 'sync' | 'copy-end',
    /** Counts messages: tells what was sent before what. */
    readonly order: number,
    /** The number under which it stands in the log, where it does. */
    public sequence?: number,
    /** The definition of a name that it brings. */
    readonly definition?: Definition,
  ) {}

  /** True for what a ReadyForQuery answers. */
  get endsSegment(): boolean {
    return this.kind === 'sync' || this.kind === 'query' || this.kind === 'call';
  }
}

/** A queue that neither copies itself at every step nor keeps what has left it. */
export class StepQueue {
  #steps: (Step | undefined)[] = [];
  #head = 0;

  get length(): number {
    return this.#steps.length - this.#head;
  }

  push(step: Step): void {
    this.#steps.push(step);
  }

  at(index: number): Step | undefined {
    return this.#steps[this.#head + index];
  }

  shift(): Step | undefined {
    const step = this.#steps[this.#head];
    if (!step) return undefined;
    this.#steps[this.#head] = undefined;
    this.#head += 1;
    if (this.#head === this.#steps.length || this.#head > 4096) {
      this.#steps.splice(0, this.#head);
      this.#head = 0;
    }
    return step;
  }

  /** Takes out what matches of so many steps behind the first one. */
  dropBehindFirst(count: number, matches: (step: Step) => boolean): void {
    const steps = this.#steps.slice(this.#head) as Step[];
    this.#steps = steps.filter((step, index) => index === 0 || index > count || !matches(step));
    this.#head = 0;
  }

  findIndex(matches: (step: Step) => boolean): number {
    for (let index = 0; index < this.length; index += 1) {
      const step = this.at(index);
      if (step && matches(step)) return index;
    }
    return -1;
  }
}
