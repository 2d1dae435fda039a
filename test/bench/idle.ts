import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { DatabasePaths, type DatabasePath } from './database-paths.js';
import type { Path } from './interleave.js';
import { residentKilobytes } from './processor-time.js';
import { ShellPaths } from './shell-paths.js';
import { printTable } from './table.js';

const sessions = 60;
const ownConnection = ['-o', 'ControlMaster=no', '-o', 'ControlPath=none'];

/** Memory of what is in between for each session that does nothing, after others have warmed the processes up. */
export async function idle(): Promise<void> {
  const head = ['path', 'MB before', 'kB for each session'];
  printTable(`${sessions} idle psql sessions`, head, await databases());
  printTable(`${sessions} idle ssh sessions`, head, await shells());
}

async function databases(): Promise<readonly Row[]> {
  await using site = await DatabasePaths.start();
  const rows: Row[] = [];
  for (const path of site.paths.filter(({ pids }) => pids.length > 0))
    rows.push(await memory(path, () => psql(site, path)));
  return rows;
}

/** Of the product alone: a stock sshd is a process of its own for each session. */
async function shells(): Promise<readonly Row[]> {
  await using site = await ShellPaths.start();
  const [, path] = site.paths;
  return [await memory(path, () => site.open(path, ownConnection))];
}

type Row = readonly [name: string, before: string, each: string];

async function memory(path: Path, open: () => Promise<ChildProcess>): Promise<Row> {
  await close(await many(open));
  const before = await settled(path);
  const clients = await many(open);
  const during = await settled(path);
  await close(clients);
  return [path.name, (before / 1000).toFixed(0), ((during - before) / sessions).toFixed(0)];
}

async function settled({ pids }: Path): Promise<number> {
  await sleep(3000);
  return residentKilobytes(pids);
}

async function many(open: () => Promise<ChildProcess>): Promise<readonly ChildProcess[]> {
  const clients: ChildProcess[] = [];
  for (let count = 0; count < sessions; count++) clients.push(await open());
  return clients;
}

async function psql(site: DatabasePaths, { connection }: DatabasePath): Promise<ChildProcess> {
  const env = { PATH: process.env['PATH'], ...site.env };
  const child = spawn('psql', ['-XAtq', connection], { env, stdio: ['pipe', 'pipe', 'inherit'] });
  child.stdin.write('select 1;\n');
  await Promise.race([once(child.stdout, 'data'), once(child, 'exit').then(ended)]);
  return child;
}

function ended(): never {
  throw new Error('psql ended before it was asked to');
}

async function close(clients: readonly ChildProcess[]): Promise<void> {
  await Promise.all(
    clients.map(async (child) => {
      const closed = once(child, 'close');
      child.stdin?.end();
      await closed;
    }),
  );
}
