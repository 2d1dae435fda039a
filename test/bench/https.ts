import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { succeed } from '../../plugins/postgres/test/support/program.js';
import { interleave, measured, type Effort, type Path } from './interleave.js';
import { Nginx } from './nginx.js';
import { RelayedService } from './relayed-service.js';
import { Resources } from './resources.js';
import { selfSigned } from './self-signed.js';
import { median, medianRatio, printTable } from './table.js';
import { TlsFront } from './tls-front.js';

/** GET of a short page by wrk, from nginx: each request is decided, audited and signed for by Postern. */
export async function https({ rounds, seconds }: Effort): Promise<void> {
  await using resources = new Resources();
  const directory = await mkdtemp(join(tmpdir(), 'postern-bench-'));
  resources.defer(() => rm(directory, { recursive: true, force: true }));
  await selfSigned(directory);
  const key = join(directory, 'relay.key');
  const certificate = join(directory, 'web.pem');
  await succeed('openssl', ['req', '-x509', '-key', key, '-days', '2', '-subj', '/CN=web', '-out', certificate]);
  const nginx = resources.use(await Nginx.start(directory, key, certificate));
  const site = resources.use(
    await RelayedService.start({
      kind: 'https',
      allow: { methods: ['*'], paths: ['*'] },
      port: nginx.port,
      spec: {},
    }),
  );
  const paths = await fronts(site, nginx, resources);
  const rows: (string | number)[][] = [];
  for (const clients of [1, 16]) {
    const args = ['-t', '1', '-c', `${clients}`, '-d', `${seconds}s`];
    const samples = await interleave(paths, rounds, async ({ port, pids }) => {
      const { result, cpu } = await measured(pids, () => succeed('wrk', [...args, `http://127.0.0.1:${port}/page`]));
      const [, count] = /(\d+) requests in/.exec(result) ?? [];
      if (!(Number(count) > 0) || result.includes('Non-2xx')) throw new Error(`wrk was not answered: ${result}`);
      return { perSecond: Number(/Requests\/sec: +([\d.]+)/.exec(result)?.[1]), cost: cpu / Number(count) };
    });
    const direct = (samples[0] ?? []).map(({ perSecond }) => perSecond);
    paths.forEach(({ name, pids }, index) => {
      const own = samples[index] ?? [];
      const rates = own.map(({ perSecond }) => perSecond);
      const cost = pids.length > 0 ? median(own.map((one) => one.cost)).toFixed(0) : '';
      rows.push([name, clients, median(rates).toFixed(0), medianRatio(rates, direct), cost]);
    });
  }
  const head = ['path', 'connections', 'requests/s', 'ratio to direct', 'µs of CPU in between'];
  printTable('wrk, GET of a page', head, rows);
}

async function fronts(
  site: RelayedService,
  nginx: Nginx,
  resources: Resources,
): Promise<readonly (Path & { readonly port: number })[]> {
  const front = async (options: Parameters<typeof TlsFront.start>[1]): Promise<number> =>
    resources.use(await TlsFront.start(site.directory, options)).port;
  return [
    { name: 'direct TLS', pids: [], port: await front({ port: nginx.tlsPort }) },
    { name: 'Postern', pids: site.product.pids, port: await front(await site.credentials('https')) },
    { name: 'stunnel + haproxy', pids: site.relay.pids, port: await front({ port: site.relay.port }) },
  ];
}
