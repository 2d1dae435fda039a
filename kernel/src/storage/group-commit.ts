import { PosternError } from '@postern/plugin-sdk';

/** What one group may hold, so that it does not stop the event loop for long, and what may wait for its turn. */
const bounds = {
  groupJobs: 256,
  groupBytes: 4 * 1024 * 1024,
  waitingJobs: 16_384,
  waitingBytes: 64 * 1024 * 1024,
} as const;

interface Waiting<Job, Result> {
  readonly job: Job;
  readonly bytes: number;
  readonly resolve: (result: Result) => void;
  readonly reject: (reason: unknown) => void;
}

/**
 * Lets the jobs that arrive in one turn of the event loop share one durable
 * write. Each settles on its own, in order of arrival, and only after that write;
 * when the write fails, all of them reject.
 */
export class GroupCommit<Job, Result> {
  readonly #run: (jobs: readonly Job[]) => readonly PromiseSettledResult<Result>[];
  #waiting: Waiting<Job, Result>[] = [];
  #waitingBytes = 0;
  #scheduled = false;

  /** `run` makes a group durable before it returns one outcome for each job; it throws when it could not. */
  constructor(run: (jobs: readonly Job[]) => readonly PromiseSettledResult<Result>[]) {
    this.#run = run;
  }

  /** Rejects with `unavailable` where too much waits already. */
  async submit(job: Job, bytes: number): Promise<Result> {
    if (this.#waiting.length === bounds.waitingJobs || this.#waitingBytes + bytes > bounds.waitingBytes)
      throw new PosternError('unavailable', `the store is overloaded: ${this.#waiting.length} commits wait`);
    this.#waitingBytes += bytes;
    return new Promise((resolve, reject) => {
      this.#waiting.push({ job, bytes, resolve, reject });
      this.#schedule();
    });
  }

  /** Runs everything that waits, now. */
  flush(): void {
    while (this.#waiting.length > 0) this.#runGroup();
  }

  #schedule(): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    setImmediate(() => {
      this.#scheduled = false;
      if (this.#waiting.length > 0) this.#runGroup();
      if (this.#waiting.length > 0) this.#schedule();
    });
  }

  #runGroup(): void {
    const group = this.#takeGroup();
    try {
      const outcomes = this.#run(group.map(({ job }) => job));
      for (const [index, { resolve, reject }] of group.entries()) {
        const outcome = outcomes[index];
        if (outcome?.status === 'fulfilled') resolve(outcome.value);
        else reject(outcome?.reason);
      }
    } catch (cause) {
      for (const { reject } of group) reject(cause);
    }
  }

  #takeGroup(): Waiting<Job, Result>[] {
    let count = 0;
    let bytes = 0;
    for (const next of this.#waiting) {
      if (count > 0 && (count === bounds.groupJobs || bytes + next.bytes > bounds.groupBytes)) break;
      bytes += next.bytes;
      count += 1;
    }
    this.#waitingBytes -= bytes;
    return this.#waiting.splice(0, count);
  }
}
