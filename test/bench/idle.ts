import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { DatabasePaths, type DatabasePath } from './database-paths.js';
import { residentKilobytes } from './processor-time.js';
import { printTable } from './table.js';

const sessions = 60;

/** Memory of what is in between for each session that does nothing, after others have warmed the processes up. */
export async function idle(): Promise<void> {
  await using site = await DatabasePaths.start();
  const rows: (string | number)[][] = [];
  for (const path of site.paths.filter(({ pids }) => pids.length > 0)) {
    await close(await open(site, path));
    const before = await settled(path);
    const clients = await open(site, path);
    const during = await settled(path);
    await close(clients);
    rows.push([path.name, (before / 1000).toFixed(0), ((during - before) / sessions).toFixed(0)]);
  }
  printTable(`${sessions} idle psql sessions`, ['path', 'MB before', 'kB for each session'], rows);
}

async function settled({ pids }: DatabasePath): Promise<number> {
  await sleep(3000);
  return residentKilobytes(pids);
}

async function open(site: DatabasePaths, { connection }: DatabasePath): Promise<readonly ChildProcess[]> {
  const clients: ChildProcess[] = [];
  for (let count = 0; count < sessions; count++) {
    const env = { PATH: process.env['PATH'], ...site.env };
    const child = spawn('psql', ['-XAtq', connection], { env, stdio: ['pipe', 'pipe', 'inherit'] });
    clients.push(child);
    child.stdin.write('select 1;\n');
    await Promise.race([once(child.stdout, 'data'), once(child, 'exit').then(ended)]);
  }
  return clients;
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
