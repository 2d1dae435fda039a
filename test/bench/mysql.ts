import { copyFile, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { MariadbServer } from '../../plugins/mysql/test/support/mariadb-server.js';
import { succeed } from '../../plugins/postgres/test/support/program.js';
import { interleave, measured, type Effort, type Path } from './interleave.js';
import { RelayedService } from './relayed-service.js';
import { median, medianRatio, printTable } from './table.js';

interface MysqlPath extends Path {
  /** For sysbench. */
  readonly options: readonly string[];
}

const user = `create database sbtest; create user trusted; grant all on sbtest.* to trusted;`;

/** sysbench point selects, with one client and eight. Clients cannot name whom they want: both ways begin at a local address. */
export async function mysql({ rounds, seconds }: Effort): Promise<void> {
  await using plain = await MariadbServer.start({ sql: user });
  await using site = await RelayedService.start({
    kind: 'mysql',
    allow: { users: ['trusted'], databases: ['sbtest'] },
    port: plain.port,
    spec: { tls: { mode: 'disable' }, auth: { method: 'none' } },
  });
  await using direct = await encrypted(site.directory);
  for (const { port } of [plain, direct]) await sysbench(site.directory, [...at(port), 'prepare']);
  const forward = await site.forward('mysql');
  const paths: readonly MysqlPath[] = [
    { name: 'direct TLS', pids: [], options: [...at(direct.port), '--mysql-ssl=on'] },
    {
      name: 'psh proxy, Postern',
      pids: [...site.product.pids, forward.pid],
      options: [`--mysql-socket=${forward.socket}`],
    },
    { name: 'stunnel, stunnel + haproxy', pids: site.relay.pids, options: at(site.relay.plainPort) },
  ];
  const rows: (string | number)[][] = [];
  for (const threads of [1, 8]) {
    const args = [`--threads=${threads}`, `--time=${seconds}`, 'run'];
    const samples = await interleave(paths, rounds, async ({ options, pids }) => {
      const { result, cpu } = await measured(pids, () => sysbench(site.directory, [...options, ...args]));
      const [, count, perSecond] = /transactions: +(\d+) +\(([\d.]+) per sec/.exec(result) ?? [];
      if (!(Number(perSecond) > 0)) throw new Error(`sysbench did nothing: ${result}`);
      return { perSecond: Number(perSecond), cost: cpu / Number(count) };
    });
    paths.forEach(({ name, pids }, index) => {
      const own = (samples[index] ?? []).map(({ perSecond }) => perSecond);
      const ratio = medianRatio(
        own,
        (samples[0] ?? []).map(({ perSecond }) => perSecond),
      );
      const cost = median((samples[index] ?? []).map((one) => one.cost)).toFixed(0);
      rows.push([name, threads, median(own).toFixed(0), ratio, pids.length > 0 ? cost : '']);
    });
  }
  const head = ['path', 'clients', 'statements/s', 'ratio to direct', 'µs of CPU in between'];
  printTable('sysbench oltp_point_select', head, rows);
}

const at = (port: number): readonly string[] => ['--mysql-host=127.0.0.1', `--mysql-port=${port}`];

/** A server that speaks TLS, and the files by which sysbench, in its current directory, does. */
async function encrypted(directory: string): Promise<MariadbServer> {
  const [key = '', certificate = ''] = await Promise.all(
    ['relay.key', 'relay.pem'].map((file) => readFile(join(directory, file), 'utf8')),
  );
  for (const [from, to] of [
    ['relay.key', 'client-key.pem'],
    ['relay.pem', 'client-cert.pem'],
    ['relay.pem', 'cacert.pem'],
  ] as const)
    await copyFile(join(directory, from), join(directory, to));
  return MariadbServer.start({ sql: user, tls: { key, certificate, clientAuthority: certificate } });
}

function sysbench(cwd: string, args: readonly string[]): Promise<string> {
  const all = ['oltp_point_select', '--mysql-user=trusted', '--mysql-db=sbtest', '--table-size=10000', ...args];
  return succeed('sysbench', all, { cwd, timeoutMs: 120_000 });
}
