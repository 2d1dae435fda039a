import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { MongoClient, type MongoClientOptions } from 'mongodb';
import { FerretdbServer, findFerretdb } from '../../plugins/mongodb/test/support/ferretdb-server.js';
import { interleave, measured, type Effort, type Path } from './interleave.js';
import { newSessions } from './new-sessions.js';
import { residentKilobytes } from './processor-time.js';
import { RelayedService } from './relayed-service.js';
import { Resources } from './resources.js';
import { selfSigned } from './self-signed.js';
import { median, medianRatio, printTable } from './table.js';

interface MongodbPath extends Path {
  readonly address: string;
  readonly options: MongoClientOptions;
}

/** A server, in clear and in TLS, and how one logs in without Postern. */
interface Backend {
  readonly title: string;
  readonly clear: number;
  readonly secure: number;
  /** Of an address: `user:password@`. */
  readonly login: string;
  readonly auth: Readonly<Record<string, unknown>>;
}

/** The driver's findOne, finds of 48 MB, new connections and idle ones. */
export async function mongodb(effort: Effort): Promise<void> {
  await using resources = new Resources();
  const directory = await mkdtemp(join(tmpdir(), 'postern-bench-'));
  resources.defer(() => rm(directory, { recursive: true, force: true }));
  const { key, certificate } = await selfSigned(directory);
  const scripted = await startScripted(resources, directory, { key, certificate });
  await measure(scripted, directory, async (paths) => {
    await findOne(scripted.title, paths, effort);
    await bulk(paths, effort);
    const exchange = async (path: MongodbPath): Promise<void> => {
      await using client = connect(path);
      await client.db('bench').command({ ping: 1 });
    };
    await newSessions('MongoDB: a driver connects, sends ping and closes (two connections)', paths, { ...effort, exchange }); // prettier-ignore
    await idle(paths);
  });
  const program = findFerretdb();
  if (program === undefined) return console.log('\nFerretDB is not here: test/support/build-ferretdb.sh');
  const ferretdb = await startFerretdb(resources, program, { key, certificate });
  await measure(ferretdb, directory, (paths) => findOne(ferretdb.title, paths, effort));
}

async function measure(
  { clear, secure, login, auth }: Backend,
  directory: string,
  work: (paths: readonly MongodbPath[]) => Promise<void>,
): Promise<void> {
  const secret = join(directory, 'secret');
  await writeFile(secret, 'pencil\n', { mode: 0o600 });
  await using site = await RelayedService.start({
    kind: 'mongodb',
    allow: { users: ['app'], databases: ['bench'], commands: ['*'] },
    port: clear,
    spec: { tls: { mode: 'disable' }, user: 'app', auth },
    agent: { secrets: { pencil: { file: secret } } },
  });
  const own = await site.credentials('mongodb');
  const [cert, key] = await Promise.all([readFile(own.certificate), readFile(own.key)]);
  const common: MongoClientOptions = { tls: true, tlsAllowInvalidCertificates: true, directConnection: true, lookup };
  const address = (port: number): string => `mongodb://${login}127.0.0.1:${port}/bench?authSource=admin`;
  await work([
    { name: 'direct TLS', pids: [], address: address(secure), options: common },
    {
      name: 'Postern',
      pids: site.product.pids,
      address: `mongodb://app@${own.sni}:${own.port}/bench?authMechanism=MONGODB-X509&authSource=$external`,
      options: { ...common, cert, key },
    },
    { name: 'stunnel + haproxy', pids: site.relay.pids, address: address(site.relay.port), options: common },
  ]);
}

/** Names of the cluster are on this machine. */
const lookup: NonNullable<MongoClientOptions['lookup']> = (_name, { all }, done) =>
  all === true ? done(null, [{ address: '127.0.0.1', family: 4 }]) : done(null, '127.0.0.1', 4);

const connect = ({ address, options }: MongodbPath, more: MongoClientOptions = {}): MongoClient =>
  new MongoClient(address, { ...options, ...more });

async function startScripted(
  resources: Resources,
  directory: string,
  pems: { readonly key: string; readonly certificate: string },
): Promise<Backend> {
  const files = await Promise.all(
    ([['server.pem', pems.certificate], ['server.key', pems.key]] as const).map(async ([name, text]) => {
      await writeFile(join(directory, name), text, { mode: 0o600 });
      return join(directory, name);
    }),
  ); // prettier-ignore
  const script = fileURLToPath(new URL('mongodb-server.ts', import.meta.url));
  const args = ['--import=tsx', '--conditions=postern:source', script, ...files];
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] });
  resources.defer(async () => {
    const closed = once(child, 'close');
    child.kill();
    await closed;
  });
  const [line] = (await once(child.stdout, 'data')) as [Buffer];
  const [clear = 0, secure = 0] = line.toString().split(' ').map(Number);
  return { title: 'a scripted server', clear, secure, login: '', auth: { method: 'none' } };
}

async function startFerretdb(
  resources: Resources,
  program: string,
  tls: { readonly key: string; readonly certificate: string },
): Promise<Backend> {
  const clear = resources.use(await FerretdbServer.start(program));
  const secure = resources.use(await FerretdbServer.start(program, { tls }));
  for (const [port, options] of [[clear.endpoint.port, {}], [secure.endpoint.port, { tls: true, tlsAllowInvalidCertificates: true }]] as const) {
    await using client = new MongoClient(`mongodb://app:pencil@127.0.0.1:${port}/?authSource=admin&directConnection=true`, options);
    await client.db('bench').collection('things').insertOne({ x: 1 });
  } // prettier-ignore
  const [login, auth] = ['app:pencil@', { method: 'scram-sha-256', secret: 'pencil' }];
  return { title: 'FerretDB', clear: clear.endpoint.port, secure: secure.endpoint.port, login, auth };
}

async function findOne(title: string, paths: readonly MongodbPath[], { rounds, seconds }: Effort): Promise<void> {
  const rows: (string | number)[][] = [];
  for (const clients of [1, 8]) {
    const samples = await interleave(paths, rounds, async (path) => {
      await using client = connect(path, { minPoolSize: clients, maxPoolSize: clients });
      const things = client.db('bench').collection('things');
      const loop = async (until: number): Promise<number> => {
        let count = 0;
        for (; performance.now() < until; count += 1) if (!(await things.findOne({ x: 1 }))) throw new Error('nothing');
        return count;
      };
      const all = (until: number) => Promise.all(Array.from({ length: clients }, () => loop(until)));
      await all(performance.now() + 500);
      const { result, ms, cpu } = await measured(path.pids, () => all(performance.now() + seconds * 1000));
      const count = result.reduce((sum, one) => sum + one, 0);
      return { perSecond: (count / ms) * 1000, cost: cpu / count };
    });
    rows.push(...rowsOf(paths, samples, clients));
  }
  const head = ['path', 'clients', 'findOne/s', 'ratio to direct', 'µs of CPU in between'];
  printTable(`findOne by the driver, ${title}`, head, rows);
}

async function bulk(paths: readonly MongodbPath[], { rounds }: Effort): Promise<void> {
  const samples = await interleave(paths, rounds, async (path) => {
    await using client = connect(path);
    await client.db('bench').command({ ping: 1 });
    const { result, ms, cpu } = await measured(path.pids, async () => {
      let megabytes = 0;
      // As it came, so that what the driver makes of it is not what is measured.
      for await (const _ of client.db('bench').collection('bulk').find({}, { raw: true })) megabytes += 1;
      return megabytes;
    });
    if (result !== 48) throw new Error(`${result} MB came`);
    return { perSecond: (result / ms) * 1000, cost: cpu / result };
  });
  const head = ['path', 'MB in all', 'MB/s', 'ratio to direct', 'µs of CPU in between for each MB'];
  printTable('a find of 48 MB, a scripted server', head, rowsOf(paths, samples, 48));
}

interface Sample {
  readonly perSecond: number;
  readonly cost: number;
}

const rowsOf = (paths: readonly MongodbPath[], samples: readonly (readonly Sample[])[], parameter: number) =>
  paths.map(({ name, pids }, index) => {
    const speeds = samples.map((all) => all.map(({ perSecond }) => perSecond));
    const own = speeds[index] ?? [];
    const cost = median((samples[index] ?? []).map((one) => one.cost)).toFixed(0);
    return [name, parameter, median(own).toFixed(0), medianRatio(own, speeds[0] ?? []), pids.length > 0 ? cost : ''];
  });

const connections = 60;

/** Memory of what is in between for each connection that does nothing, after others have warmed the processes up. */
async function idle(paths: readonly MongodbPath[]): Promise<void> {
  const rows: (string | number)[][] = [];
  for (const path of paths.filter(({ pids }) => pids.length > 0)) {
    await pooled(path, async () => {});
    await sleep(3000);
    const before = residentKilobytes(path.pids);
    await pooled(path, async () => {
      await sleep(3000);
      const each = (residentKilobytes(path.pids) - before) / connections;
      rows.push([path.name, (before / 1000).toFixed(0), each.toFixed(0)]);
    });
  }
  printTable(`${connections} idle connections of a driver`, ['path', 'MB before', 'kB for each connection'], rows);
}

async function pooled(path: MongodbPath, work: () => Promise<void>): Promise<void> {
  await using client = connect(path, { minPoolSize: connections, maxPoolSize: connections });
  const slow = Array.from({ length: connections }, () => client.db('bench').collection('things').findOne({}));
  await Promise.all(slow);
  await work();
}
