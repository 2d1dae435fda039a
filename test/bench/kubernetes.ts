import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { succeed } from '../../plugins/postgres/test/support/program.js';
import { interleave, measured, type Effort, type Path } from './interleave.js';
import { newSessions } from './new-sessions.js';
import { Nginx } from './nginx.js';
import { RelayedService } from './relayed-service.js';
import { Resources } from './resources.js';
import { selfSigned } from './self-signed.js';
import { median, medianRatio, printTable } from './table.js';
import { tlsExchange, type TlsTarget } from './tls-exchange.js';
import { TlsFront, type TlsFrontOptions } from './tls-front.js';

const path = '/api/v1/namespaces/shop/pods/box';

/** GET of one object by wrk, from nginx in the place of an API server: what is measured is the way. */
export async function kubernetes({ rounds, seconds }: Effort): Promise<void> {
  await using resources = new Resources();
  const directory = await mkdtemp(join(tmpdir(), 'postern-bench-'));
  resources.defer(() => rm(directory, { recursive: true, force: true }));
  await selfSigned(directory);
  const ca = join(directory, 'ca.pem');
  const key = join(directory, 'relay.key');
  const issue = ['req', '-x509', '-key', key, '-days', '2', '-subj', '/CN=api', '-addext', 'subjectAltName=DNS:api'];
  await succeed('openssl', [...issue, '-out', ca]);
  const token = join(directory, 'token');
  await writeFile(token, 'secret', { mode: 0o600 });
  const nginx = resources.use(await Nginx.start(directory, key, ca));
  const tls = { ca: await readFile(ca, 'utf8'), server_name: 'api' };
  const site = resources.use(
    await RelayedService.start({
      kind: 'kubernetes',
      allow: { users: ['dev'], groups: [], namespaces: ['*'], verbs: ['*'], resources: ['*'] },
      port: nginx.port,
      spec: { port: nginx.tlsPort, tls, auth: { method: 'token', secret: 'token' } },
      agent: { secrets: { token: { file: token } } },
    }),
  );
  const paths = await pathsOf(site, nginx, resources);
  const rows: (string | number)[][] = [];
  for (const clients of [1, 16]) {
    const args = ['-t', '1', '-c', `${clients}`, '-d', `${seconds}s`];
    const samples = await interleave(paths, rounds, async ({ port, pids }) => {
      const { result, cpu } = await measured(pids, () => succeed('wrk', [...args, `http://127.0.0.1:${port}${path}`]));
      const [, count] = /(\d+) requests in/.exec(result) ?? [];
      if (!(Number(count) > 0) || result.includes('Non-2xx')) throw new Error(`wrk was not answered: ${result}`);
      return { perSecond: Number(/Requests\/sec: +([\d.]+)/.exec(result)?.[1]), cost: cpu / Number(count) };
    });
    paths.forEach(({ name, pids }, index) => {
      const own = (samples[index] ?? []).map(({ perSecond }) => perSecond);
      const ratio = medianRatio(
        own,
        (samples[0] ?? []).map(({ perSecond }) => perSecond),
      );
      const cost = median((samples[index] ?? []).map((one) => one.cost)).toFixed(0);
      rows.push([name, clients, median(own).toFixed(0), ratio, pids.length > 0 ? cost : '']);
    });
  }
  const head = ['path', 'connections', 'requests/s', 'ratio to direct', 'µs of CPU in between'];
  printTable('wrk, GET of a Kubernetes object', head, rows);
  const request = `GET ${path} HTTP/1.1\r\nHost: api\r\n\r\n`;
  const exchange = ({ target }: KubernetesPath): Promise<void> => tlsExchange(target, request, 'HTTP/1.1 200');
  await newSessions('Kubernetes: connect, GET, close', paths, { rounds, seconds, exchange });
}

interface KubernetesPath extends Path {
  /** Where TLS is put on for wrk. */
  readonly port: number;
  readonly target: TlsTarget;
}

async function pathsOf(site: RelayedService, nginx: Nginx, resources: Resources): Promise<readonly KubernetesPath[]> {
  const path = async (name: string, pids: readonly number[], options: TlsFrontOptions): Promise<KubernetesPath> => {
    const { port } = resources.use(await TlsFront.start(site.directory, options));
    const { sni, certificate, key } = options;
    const files =
      certificate === undefined || key === undefined
        ? {}
        : { cert: await readFile(certificate), key: await readFile(key) };
    return {
      name,
      pids,
      port,
      target: { port: options.port, ...files, ...(sni !== undefined && { servername: sni }) },
    };
  };
  return [
    await path('direct TLS', [], { port: nginx.tlsPort }),
    await path('Postern', site.product.pids, await site.credentials('kubernetes')),
    await path('stunnel + haproxy', site.relay.pids, { port: site.relay.port }),
  ];
}
