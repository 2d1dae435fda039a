import { cpus, loadavg } from 'node:os';
import { bulk } from './bulk.js';
import { queries } from './queries.js';
import { startup } from './startup.js';

// `npm run bench [-- name…]`: measures in turn and prints tables. Nothing here passes or fails.
const benchmarks: Readonly<Record<string, () => void | Promise<void>>> = {
  startup: () => startup(20),
  queries: () => queries(3, 4),
  bulk: () => bulk(5),
};

const names = process.argv.slice(2);
const wanted = names.length > 0 ? names : Object.keys(benchmarks);
console.log(
  `${new Date().toISOString().slice(0, 10)}, Node ${process.version}, ${cpus().length} × ${cpus()[0]?.model}`,
);
console.log(`load before: ${loadavg()[0]?.toFixed(1)}`);
for (const name of wanted) {
  const benchmark = benchmarks[name];
  if (!benchmark) throw new Error(`there is no benchmark ${name}; there are ${Object.keys(benchmarks).join(', ')}`);
  await benchmark();
}
process.exit(0);
