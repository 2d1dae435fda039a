import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { RedisServer } from '../../plugins/redis/test/support/redis-server.js';
import { succeed } from '../../plugins/postgres/test/support/program.js';
import { interleave, measured, type Effort, type Path } from './interleave.js';
import { newSessions } from './new-sessions.js';
import { RelayedService } from './relayed-service.js';
import { median, medianRatio, printTable } from './table.js';
import { tlsExchange, type TlsTarget } from './tls-exchange.js';
import type { TlsFrontOptions } from './tls-front.js';

interface RedisPath extends Path {
  readonly target: TlsTarget;
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
  const exchange = ({ target }: RedisPath): Promise<void> => tlsExchange(target, 'PING\r\n', '+PONG');
  await newSessions('Redis: connect, PING, close', paths, { rounds, seconds, exchange });
}

async function pathsOf(site: RelayedService, direct: number): Promise<readonly RedisPath[]> {
  const pem = join(site.directory, 'relay.pem');
  const key = join(site.directory, 'relay.key');
  const own = await site.credentials('redis');
  const path = async (
    name: string,
    pids: readonly number[],
    { port, sni, certificate, ...files }: TlsFrontOptions,
  ) => ({
    name,
    pids,
    options: [
      ...['-h', '127.0.0.1', '--tls', '--insecure', '-p', `${port}`],
      ...(sni === undefined ? [] : ['--sni', sni]),
      ...(certificate === undefined || files.key === undefined ? [] : ['--cert', certificate, '--key', files.key]),
    ],
    target: {
      port,
      ...(sni !== undefined && { servername: sni }),
      ...(certificate !== undefined && { cert: await readFile(certificate) }),
      ...(files.key !== undefined && { key: await readFile(files.key) }),
    },
  });
  return [
    await path('direct TLS', [], { port: direct, certificate: pem, key }),
    await path('Postern', site.product.pids, own),
    await path('stunnel + haproxy', site.relay.pids, { port: site.relay.port }),
  ];
}
