import type { DatabasePath, DatabasePaths } from './database-paths.js';
import { measured } from './interleave.js';

export interface Throughput {
  readonly perSecond: number;
  /** Microseconds of processor time of what is in between, for each transaction. */
  readonly cost: number;
}

/** Runs pgbench over one path for a time. */
export async function pgbench(
  site: DatabasePaths,
  { connection, pids }: DatabasePath,
  { args, seconds }: { readonly args: readonly string[]; readonly seconds: number },
): Promise<Throughput> {
  const all = ['-n', '-S', '-j', '1', '-T', `${seconds}`, ...args, connection];
  const { result, cpu } = await measured(pids, () => site.program('pgbench', all));
  const done = Number(/transactions actually processed: (\d+)/.exec(result)?.[1]);
  const perSecond = Number(/tps = ([\d.]+)/.exec(result)?.[1]);
  if (!(done > 0 && perSecond > 0)) throw new Error(`pgbench did nothing: ${result}`);
  return { perSecond, cost: cpu / done };
}
