import { PosternError } from '@postern/plugin-sdk';

/** What may wait for a backend that is slow: more is refused at once, before it fills the memory. */
const bounds = { jobs: 4_096, bytes: 64 * 1024 * 1024 } as const;

/** Counts what is on its way to a backend. */
export class Admission {
  #jobs = 0;
  #bytes = 0;

  /** Runs the job, or rejects with `unavailable` where too much waits already. */
  async run<T>(bytes: number, job: () => Promise<T>): Promise<T> {
    if (this.#jobs >= bounds.jobs || this.#bytes + bytes > bounds.bytes)
      throw new PosternError('unavailable', `the store is overloaded: ${this.#jobs} requests wait`);
    this.#jobs += 1;
    this.#bytes += bytes;
    try {
      return await job();
    } finally {
      this.#jobs -= 1;
      this.#bytes -= bytes;
    }
  }
}
