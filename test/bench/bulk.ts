import { run } from '../../plugins/postgres/test/support/program.js';
import { DatabaseSite } from '../e2e/support/database.js';
import { median, printTable } from './table.js';

const rowsOut = 2_000_000;
const megabytes = (rowsOut * 101) / 1e6;

/** COPY of some 200 MB to the client: direct TLS and through Postern, in turn. */
export async function bulk(rounds: number): Promise<void> {
  await using site = await DatabaseSite.start();
  const { host, port } = site.database;
  const copy = `copy (select repeat('x', 100) from generate_series(1, ${rowsOut})) to stdout`;
  const direct = `host=${host} port=${port} user=trusted dbname=bench sslmode=require`;
  const through = await site.connection(await site.cluster.login('alice'));
  const times = { direct: [] as number[], through: [] as number[] };
  for (let round = 0; round < rounds; round++) {
    times.direct.push(await timed(direct, copy, site.home));
    times.through.push(await timed(through, copy, site.home));
  }
  const ratio = median(times.through.map((ms, round) => ms / (times.direct[round] ?? NaN)));
  const rate = (all: readonly number[]): string => ((megabytes / median(all)) * 1000).toFixed(0);
  printTable(
    'COPY to stdout',
    ['path', 'MB/s', 'time, ratio to direct'],
    [
      ['direct TLS', rate(times.direct), '1.00'],
      ['Postern', rate(times.through), ratio.toFixed(2)],
    ],
  );
}

async function timed(connection: string, sql: string, home: string): Promise<number> {
  const began = performance.now();
  const args = ['-Xq', '-o', '/dev/null', connection, '-c', sql];
  const { status, stderr } = await run('psql', args, { env: { HOME: home }, timeoutMs: 120_000 });
  if (status !== 0) throw new Error(`COPY failed: ${stderr}`);
  return performance.now() - began;
}
