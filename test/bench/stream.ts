import { interleave, measured, type Effort } from './interleave.js';
import { ShellPaths } from './shell-paths.js';
import { median, medianRatio, printTable } from './table.js';

/** One cipher for both ends, so that servers are compared and not ciphers. */
const options = ['-c', 'aes128-gcm@openssh.com', '-o', 'ControlMaster=no', '-o', 'ControlPath=none'];

/** Much output of one command over ssh. */
export async function stream({ rounds, streamMegabytes }: Effort): Promise<void> {
  await using site = await ShellPaths.start();
  const command = [`head -c ${streamMegabytes * 1e6} /dev/zero`];
  const samples = await interleave(site.paths, rounds, (path) =>
    measured(path.pids, () => site.ssh(path, options, command)),
  );
  const rates = samples.map((all) => all.map(({ ms }) => (streamMegabytes / ms) * 1000));
  const rows = site.paths.map(({ name, pids }, index) => {
    const cost = median((samples[index] ?? []).map(({ cpu }) => cpu)) / streamMegabytes / 1000;
    const own = rates[index] ?? [];
    return [name, median(own).toFixed(0), medianRatio(own, rates[0] ?? []), pids.length > 0 ? cost.toFixed(1) : ''];
  });
  const head = ['path', 'MB/s', 'ratio to direct', 's of CPU in Postern for each GB'];
  printTable(`${streamMegabytes} MB over ssh`, head, rows);
}
