import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { build } from '../../config/test/support/programs.js';
import type { Effort } from './interleave.js';
import { median, printTable } from './table.js';

const program = (name: string): string => fileURLToPath(new URL(`../../config/bin/${name}.js`, import.meta.url));

const commands: readonly (readonly [string, readonly string[]])[] = [
  ['node -e 0', ['-e', '0']],
  ['psh --help', [program('psh'), '--help']],
  ['postern --help', [program('postern'), '--help']],
];

/** How long the programs take to start, beside Node itself. */
export async function startup({ rounds }: Effort): Promise<void> {
  await build();
  const times = commands.map(() => [] as number[]);
  for (let round = 0; round < rounds * 5; round++)
    for (const [index, [, args]] of commands.entries()) {
      const began = performance.now();
      spawnSync(process.execPath, args, { stdio: 'ignore' });
      times[index]?.push(performance.now() - began);
    }
  const node = median(times[0] ?? []);
  const rows = commands.map(([name], index) => {
    const ms = median(times[index] ?? []);
    return [name, ms.toFixed(0), (ms - node).toFixed(0)];
  });
  printTable('Starting', ['command', 'ms', 'more than node'], rows);
}
