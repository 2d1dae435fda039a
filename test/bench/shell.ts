import { join } from 'node:path';
import { interleave, measured, type Effort } from './interleave.js';
import { ShellPaths, type ShellPath } from './shell-paths.js';
import { median, printTable } from './table.js';

const cold = ['-o', 'ControlMaster=no', '-o', 'ControlPath=none'];

/** `ssh host true`: with a connection of its own, and over one that is open already. */
export async function shell({ rounds }: Effort): Promise<void> {
  await using site = await ShellPaths.start();
  const socket = ({ name }: ShellPath): string => join(site.directory, name.slice(0, 6).trim());
  const shared = (path: ShellPath): string[] => ['-o', `ControlPath=${socket(path)}`];
  for (const path of site.paths) {
    await site.ssh(path, cold, ['true']);
    await site.ssh(path, [...shared(path), '-o', 'ControlMaster=yes', '-o', 'ControlPersist=600'], ['true']);
  }
  const rows: (string | number)[][] = [];
  for (const [kind, options] of [
    ['cold', () => cold],
    ['warm', shared],
  ] as const) {
    const samples = await interleave(site.paths, rounds * 5, (path) =>
      measured(path.pids, () => site.ssh(path, options(path), ['true'])),
    );
    const times = samples.map((all) => all.map(({ ms }) => ms));
    const more = (own: readonly number[]): string =>
      median(own.map((ms, round) => ms - (times[0]?.[round] ?? NaN))).toFixed(0);
    site.paths.forEach(({ name }, index) => {
      const own = times[index] ?? [];
      rows.push([name, kind, median(own).toFixed(0), Math.min(...own).toFixed(0), more(own)]);
    });
  }
  for (const path of site.paths) await site.ssh(path, [...shared(path), '-q', '-O', 'exit'], []);
  printTable('ssh host true', ['path', 'connection', 'ms', 'least ms', 'more than direct'], rows);
}
