import { join, basename } from 'node:path';
import { readFile } from 'node:fs/promises';
import { RedisServer } from '../../plugins/redis/test/support/redis-server.js';
import { succeed } from '../../plugins/postgres/test/support/program.js';
import { interleave, measured, type Effort, type Path } from './interleave.js';
import { RelayedService } from './relayed-service.js';
import { median, medianRatio, printTable } from './table.js';

interface RedisPath extends Path {
  /** For redis-benchmark. */
  readonly options: readonly string[];
}

/** redis-benchmark GET over TLS, one command at a time and sixteen in a pipeline. */
export async function redis({ rounds, seconds }: Effort): Promise<void> {
  await using server = await RedisServer.start('redis-server');
  const { port } = server;
  await using site = await RelayedService.start({
    kind: 'redis',
    allow: { users: ['default'], commands: ['*'] },
    port,
    spec: { tls: { mode: 'disable' }, auth: { method: 'none' } },
  });
  const [key, certificate] = await Promise.all(
    ['relay.key', 'relay.pem'].map((file) => readFile(join(site.directory, file), 'utf8')),
  );
  await using direct = await RedisServer.start('redis-server', {
    tls: { key: key ?? '', certificate: certificate ?? '', ca: certificate ?? '' },
  });
  const paths = await pathsOf(site, direct.port);
  const rows: (string | number)[][] = [];
  for (const pipeline of [1, 16]) {
    const count = seconds * (pipeline === 1 ? 5000 : 20_000);
    const args = ['-t', 'get', '-c', '8', '-n', `${count}`, '-P', `${pipeline}`, '--csv'];
    const samples = await interleave(paths, rounds, async ({ options, pids }) => {
      const { result, cpu } = await measured(pids, () => succeed('redis-benchmark', [...options, ...args]));
      const perSecond = Number(/"GET","([\d.]+)"/.exec(result)?.[1]);
      if (!(perSecond > 0)) throw new Error(`redis-benchmark did nothing: ${result}`);
      return { perSecond, cost: cpu / count };
    });
    paths.forEach(({ name, pids }, index) => {
      const own = (samples[index] ?? []).map(({ perSecond }) => perSecond);
      const ratio = medianRatio(
        own,
        (samples[0] ?? []).map(({ perSecond }) => perSecond),
      );
      const cost = median((samples[index] ?? []).map((one) => one.cost)).toFixed(0);
      rows.push([name, pipeline, median(own).toFixed(0), ratio, pids.length > 0 ? cost : '']);
    });
  }
  const head = ['path', 'pipeline', 'commands/s', 'ratio to direct', 'µs of CPU in between'];
  printTable('redis-benchmark GET, 8 clients', head, rows);
}

async function pathsOf(site: RelayedService, direct: number): Promise<readonly RedisPath[]> {
  const profile = await site.profile();
  const own = ['--cert', join(profile, 'tls.crt'), '--key', join(profile, 'tls.key')];
  const pem = join(site.directory, 'relay.pem');
  const plain = ['-h', '127.0.0.1', '--tls', '--insecure'];
  const sni = `bench.redis.${basename(profile)}`;
  return [
    { name: 'direct TLS', pids: [], options: [...plain, '-p', `${direct}`, '--cert', pem, '--key', pem] },
    {
      name: 'Postern',
      pids: site.product.pids,
      options: [...plain, '-p', site.product.cluster.port, '--sni', sni, ...own],
    },
    { name: 'stunnel + haproxy', pids: site.relay.pids, options: [...plain, '-p', `${site.relay.port}`] },
  ];
}
