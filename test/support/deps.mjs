// The direction of dependencies, and that it was checked at all: a cruise of no modules finds no violations either.
import { spawnSync } from 'node:child_process';

const minimumModules = 150;
const args = ['--output-type', 'json', '--config', '.dependency-cruiser.cjs'];
const folders = ['plugin-sdk', 'kernel', 'plugins', 'config', 'docs/examples', 'test'];
const { stdout, stderr, status } = spawnSync(
  process.execPath,
  ['node_modules/dependency-cruiser/bin/dependency-cruise.mjs', ...args, ...folders],
  { encoding: 'utf8', maxBuffer: 256 * 1024 * 1024 },
);
if (!stdout) {
  console.error(stderr || `dependency-cruiser ended with ${status}`);
  process.exit(1);
}
const { summary } = JSON.parse(stdout);
for (const { rule, from, to } of summary.violations) console.error(`${rule.severity} ${rule.name}: ${from} → ${to}`);
console.log(`${summary.totalCruised} modules, ${summary.error} errors`);
if (summary.error > 0) process.exitCode = 1;
if (summary.totalCruised < minimumModules) {
  console.error(`only ${summary.totalCruised} modules were looked at, ${minimumModules} were expected`);
  process.exitCode = 1;
}
