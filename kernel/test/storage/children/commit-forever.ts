import { writeSync } from 'node:fs';
import { SqliteStore } from '../../../src/storage/index.js';

/**
 * Commits to the store at argv[2] until it is killed, a few commits at a time,
 * and prints `number revision` for each as soon as it is acknowledged. Commit n
 * writes n under `one/n`, `two/n` and `last`, and something short-lived.
 */
const [path = ''] = process.argv.slice(2);
const store = await SqliteStore.open({ path, keepRevisions: 200, sweepIntervalMs: 5 });
let next = Number((await store.get('last'))?.value ?? 0) + 1;

async function commit(): Promise<void> {
  const value = String(next++);
  const revision = await store.commit({
    put: [
      { key: `one/${value}`, value },
      { key: `two/${value}`, value },
      { key: 'last', value },
      { key: `brief/${value}`, value, expires: new Date(Date.now() + 10) },
    ],
  });
  // Not buffered: what the parent has read was acknowledged, and what was acknowledged is on its way.
  writeSync(1, `${value} ${revision}\n`);
}

for (let burst = 1; ; burst = (burst % 6) + 1) await Promise.all(Array.from({ length: burst }, commit));
