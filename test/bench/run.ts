import { execFileSync } from 'node:child_process';
import { cpus, loadavg } from 'node:os';
import { parseArgs } from 'node:util';
import { bulk } from './bulk.js';
import { connects } from './connects.js';
import { https } from './https.js';
import { idle } from './idle.js';
import type { Effort } from './interleave.js';
import { kubernetes } from './kubernetes.js';
import { mongodb } from './mongodb.js';
import { mysql } from './mysql.js';
import { queries } from './queries.js';
import { rdp } from './rdp.js';
import { redis } from './redis.js';
import { shell } from './shell.js';
import { startup } from './startup.js';
import { stream } from './stream.js';

// `npm run bench [-- name… --quick | --full]`: measures in turn and prints tables. Nothing here passes or fails.
const benchmarks: Readonly<Record<string, (effort: Effort) => Promise<void>>> = {
  startup,
  queries,
  redis,
  mysql,
  mongodb,
  kubernetes,
  https,
  rdp,
  connects,
  bulk,
  idle,
  shell,
  stream,
};

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { quick: { type: 'boolean', default: false }, full: { type: 'boolean', default: false } },
});

function effort(): Effort {
  if (values.full) return { rounds: 5, seconds: 10, copyMegabytes: 1000, streamMegabytes: 500 };
  if (values.quick) return { rounds: 1, seconds: 2, copyMegabytes: 50, streamMegabytes: 50 };
  return { rounds: 3, seconds: 4, copyMegabytes: 200, streamMegabytes: 200 };
}

const load = (): string => `load ${(loadavg()[0] ?? NaN).toFixed(1)}`;
const version = (program: string, option: string): string =>
  // Some write their version to the one, some to the other.
  execFileSync('sh', ['-c', `${program} ${option} 2>&1 | grep -m1 -E '[0-9]+[.][0-9]+'`])
    .toString()
    .trim();

const wanted = positionals.length > 0 ? positionals : Object.keys(benchmarks);
console.log(`${new Date().toISOString()}, Node ${process.version}, ${cpus().length} × ${cpus()[0]?.model}, ${load()}`);
for (const [program, option] of [
  ['psql', '-V'],
  ['haproxy', '-v'],
  ['stunnel4', '-version'],
  ['ssh', '-V'],
] as const)
  console.log(version(program, option));
for (const name of wanted) {
  const benchmark = benchmarks[name];
  if (!benchmark) throw new Error(`there is no benchmark ${name}; there are ${Object.keys(benchmarks).join(', ')}`);
  await benchmark(effort());
  console.log(`\n${name}: ${load()} at its end`);
}
