import { processorTime } from './processor-time.js';

/** How much is measured. */
export interface Effort {
  readonly rounds: number;
  /** Of each measurement that runs for a time. */
  readonly seconds: number;
  /** Megabytes of a database and of an ssh session. */
  readonly copyMegabytes: number;
  readonly streamMegabytes: number;
}

/** A way from client to server, and the processes on it that are neither of them. */
export interface Path {
  readonly name: string;
  readonly pids: readonly number[];
}

/**
 * Measures every path once in each round, so that a disturbance meets them all.
 * Who begins changes from round to round. Resolves with a list of samples for
 * each path, in the order of the rounds.
 */
export async function interleave<P, S>(
  paths: readonly P[],
  rounds: number,
  measure: (path: P) => Promise<S>,
): Promise<readonly (readonly S[])[]> {
  const samples = paths.map((): S[] => []);
  for (let round = 0; round < rounds; round++)
    for (let turn = 0; turn < paths.length; turn++) {
      const index = (round + turn) % paths.length;
      const path = paths[index];
      if (path !== undefined) samples[index]?.push(await measure(path));
    }
  return samples;
}

/** Runs work; resolves with its result, its milliseconds, and the processor time in µs that processes spent meanwhile. */
export async function measured<T>(
  pids: readonly number[],
  work: () => Promise<T>,
): Promise<{ readonly result: T; readonly ms: number; readonly cpu: number }> {
  const before = processorTime(pids);
  const began = performance.now();
  const result = await work();
  return { result, ms: performance.now() - began, cpu: processorTime(pids) - before };
}
