import { generateKeyPairSync } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { run } from '../../plugins/postgres/test/support/program.js';
import { DatabaseSite } from '../e2e/support/database.js';
import { CRelay } from './c-relay.js';
import { processorTime } from './processor-time.js';
import { median, printTable } from './table.js';

interface Path {
  readonly name: string;
  readonly connection: string;
  /** The processes between client and server; none of them where that is this one. */
  readonly pids: readonly number[] | undefined;
}

interface Sample {
  readonly tps: number;
  /** Microseconds of processor time of what is in between, for each transaction. */
  readonly cost: number;
}

/** pgbench -S with prepared statements: direct TLS, through Postern, through stunnel and haproxy, in turn. */
export async function queries(rounds: number, seconds: number): Promise<void> {
  await using site = await DatabaseSite.start();
  const { host, port, directory } = site.database;
  await run('pgbench', ['-i', '-q', '-s', '10', `host=${directory} port=${port} user=postgres dbname=bench`]);
  await site.database.sql('grant select on all tables in schema public to public', 'bench');
  await using relay = await CRelay.start(site.home, port, await selfSigned(site.home));
  const plain = `host=${host} user=trusted dbname=bench`;
  const paths: readonly Path[] = [
    { name: 'direct TLS', connection: `${plain} port=${port} sslmode=require`, pids: undefined },
    { name: 'Postern', connection: await site.connection(await site.cluster.login('alice')), pids: [] },
    { name: 'stunnel + haproxy', connection: `${plain} port=${relay.port} sslmode=require`, pids: relay.pids },
  ];
  const rows: (string | number)[][] = [];
  for (const clients of [1, 8, 16]) {
    const samples = paths.map(() => [] as Sample[]);
    for (let round = 0; round < rounds; round++)
      for (const [index, path] of paths.entries()) samples[index]?.push(await sample(path, clients, seconds));
    rows.push(
      ...paths.map((path, index) => row(path, clients, { own: samples[index] ?? [], direct: samples[0] ?? [] })),
    );
  }
  const head = ['path', 'clients', 'transactions/s', 'ratio to direct', 'µs of CPU in between'];
  printTable('pgbench -S -M prepared', head, rows);
}

async function sample({ name, connection, pids }: Path, clients: number, seconds: number): Promise<Sample> {
  const before = pids ? processorTime(pids) : 0;
  const args = ['-n', '-S', '-M', 'prepared', '-c', `${clients}`, '-j', '1', '-T', `${seconds}`, connection];
  const { stdout, stderr } = await run('pgbench', args, { timeoutMs: (seconds + 30) * 1000 });
  const spent = pids ? processorTime(pids) - before : 0;
  const tps = Number(/tps = ([\d.]+)/.exec(stdout)?.[1]);
  const done = Number(/transactions actually processed: (\d+)/.exec(stdout)?.[1]);
  if (!(tps > 0)) throw new Error(`pgbench through ${name} failed: ${stderr}`);
  return { tps, cost: spent / done };
}

function row(
  { name, pids }: Path,
  clients: number,
  { own, direct }: { readonly own: readonly Sample[]; readonly direct: readonly Sample[] },
): (string | number)[] {
  const ratios = own.map(({ tps }, round) => tps / (direct[round]?.tps ?? NaN));
  const cost = pids ? median(own.map((one) => one.cost)).toFixed(0) : '';
  return [name, clients, median(own.map(({ tps }) => tps)).toFixed(0), median(ratios).toFixed(2), cost];
}

/** Certificate and key for the relay, which no client checks here. */
async function selfSigned(directory: string): Promise<string> {
  const key = generateKeyPairSync('ec', {
    namedCurve: 'P-256',
    publicKeyEncoding: { format: 'pem', type: 'spki' },
    privateKeyEncoding: { format: 'pem', type: 'pkcs8' },
  }).privateKey;
  const file = join(directory, 'relay.key');
  await writeFile(file, key, { mode: 0o600 });
  const { stdout, stderr } = await run('openssl', ['req', '-x509', '-key', file, '-days', '2', '-subj', '/CN=relay']);
  if (!stdout.includes('BEGIN CERTIFICATE')) throw new Error(`no certificate for the relay: ${stderr}`);
  return `${key}${stdout}`;
}
