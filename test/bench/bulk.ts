import { DatabasePaths } from './database-paths.js';
import { interleave, measured, type Effort } from './interleave.js';
import { median, medianRatio, printTable } from './table.js';

/** What COPY prints of one row. */
const bytesPerRow = 101;

/** COPY of a table to the client. */
export async function bulk({ rounds, copyMegabytes }: Effort): Promise<void> {
  await using site = await DatabasePaths.start();
  const count = Math.round((copyMegabytes * 1e6) / bytesPerRow);
  const filled = `create unlogged table big as select repeat('x', 100) as x from generate_series(1, ${count})`;
  await site.server.sql(`${filled}; vacuum big; grant select on big to public`, 'bench');
  const samples = await interleave(site.paths, rounds, ({ connection, pids }) =>
    measured(pids, () => site.program('psql', ['-Xq', '-o', '/dev/null', connection, '-c', 'copy big to stdout'])),
  );
  const times = samples.map((all) => all.map(({ ms }) => ms));
  const rows = site.paths.map(({ name, pids }, index) => {
    const own = times[index] ?? [];
    const cost = median((samples[index] ?? []).map(({ cpu }) => cpu)) / copyMegabytes;
    return [
      name,
      ((copyMegabytes / median(own)) * 1000).toFixed(0),
      medianRatio(own, times[0] ?? []),
      pids.length > 0 ? cost.toFixed(0) : '',
    ];
  });
  const head = ['path', 'MB/s', 'time, ratio to direct', 'µs of CPU in between for each MB'];
  printTable(`COPY of ${copyMegabytes} MB to the client`, head, rows);
}
