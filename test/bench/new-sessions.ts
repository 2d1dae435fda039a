import { interleave, measured, type Effort, type Path } from './interleave.js';
import { median, medianRatio, printTable } from './table.js';

const clients = 4;

/**
 * How many sessions a second are opened, used for the shortest exchange there is, and closed, by four clients at once.
 * The clients are this process, which shares the machine.
 */
export async function newSessions<P extends Path>(
  title: string,
  paths: readonly P[],
  { rounds, seconds, exchange }: Pick<Effort, 'rounds' | 'seconds'> & { readonly exchange: (path: P) => Promise<void> },
): Promise<void> {
  const samples = await interleave(paths, rounds, async (path) => {
    let count = 0;
    const end = performance.now() + seconds * 1000;
    const client = async (): Promise<void> => {
      for (; performance.now() < end; count++) await exchange(path);
    };
    const { ms, cpu } = await measured(path.pids, () => Promise.all(Array.from({ length: clients }, client)));
    return { perSecond: (count / ms) * 1000, cost: cpu / count };
  });
  const speeds = samples.map((all) => all.map(({ perSecond }) => perSecond));
  const rows = paths.map(({ name, pids }, index) => {
    const own = speeds[index] ?? [];
    const cost = (median((samples[index] ?? []).map((one) => one.cost)) / 1000).toFixed(1);
    return [name, median(own).toFixed(0), medianRatio(own, speeds[0] ?? []), pids.length > 0 ? cost : ''];
  });
  printTable(title, ['path', 'sessions/s', 'ratio to direct', 'ms of CPU in between'], rows);
}
