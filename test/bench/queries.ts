import { DatabasePaths } from './database-paths.js';
import { interleave, type Effort } from './interleave.js';
import { pgbench } from './pgbench.js';
import { median, medianRatio, printTable } from './table.js';

/** pgbench -S with prepared statements, by several numbers of clients. */
export async function queries({ rounds, seconds }: Effort): Promise<void> {
  await using site = await DatabasePaths.start();
  await site.fill();
  const rows: (string | number)[][] = [];
  for (const clients of [1, 8, 32]) {
    const args = ['-M', 'prepared', '-c', String(clients)];
    const samples = await interleave(site.paths, rounds, (path) => pgbench(site, path, { args, seconds }));
    const speeds = samples.map((all) => all.map(({ perSecond }) => perSecond));
    site.paths.forEach(({ name, pids }, index) => {
      const own = speeds[index] ?? [];
      const cost = median((samples[index] ?? []).map((one) => one.cost)).toFixed(0);
      rows.push([
        name,
        clients,
        median(own).toFixed(0),
        medianRatio(own, speeds[0] ?? []),
        pids.length > 0 ? cost : '',
      ]);
    });
  }
  const head = ['path', 'clients', 'transactions/s', 'ratio to direct', 'µs of CPU in between'];
  printTable('pgbench -S -M prepared', head, rows);
}
