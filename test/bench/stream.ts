import { interleave, measured, type Effort } from './interleave.js';
import { ShellPaths, type ShellPath } from './shell-paths.js';
import { median, medianRatio, printTable } from './table.js';

/** One cipher for both ends, so that servers are compared and not ciphers. */
const options = ['-c', 'aes128-gcm@openssh.com', '-o', 'ControlMaster=no', '-o', 'ControlPath=none'];

/** Much data over ssh: the output of one command, and the input of another, in turn. */
export async function stream({ rounds, streamMegabytes }: Effort): Promise<void> {
  await using site = await ShellPaths.start();
  const bytes = streamMegabytes * 1e6;
  const ways = [
    ['to the client', (path: ShellPath) => site.ssh(path, options, [`head -c ${bytes} /dev/zero`])],
    ['from the client', (path: ShellPath) => site.upload(path, options, bytes)],
  ] as const;
  const runs = ways.flatMap(([way, run]) => site.paths.map((path) => ({ way, run, path })));
  const samples = await interleave(runs, rounds, ({ run, path }) => measured(path.pids, () => run(path)));
  const rates = samples.map((all) => all.map(({ ms }) => (streamMegabytes / ms) * 1000));
  const rows = runs.map(({ way, path: { name, pids } }, index) => {
    const cost = median((samples[index] ?? []).map(({ cpu }) => cpu)) / streamMegabytes / 1000;
    const own = rates[index] ?? [];
    const direct = rates[runs.findIndex((run) => run.way === way)] ?? [];
    return [way, name, median(own).toFixed(0), medianRatio(own, direct), pids.length > 0 ? cost.toFixed(1) : ''];
  });
  const head = ['direction', 'path', 'MB/s', 'ratio to direct', 's of CPU in Postern for each GB'];
  printTable(`${streamMegabytes} MB over ssh`, head, rows);
}
