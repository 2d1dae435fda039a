import { writeSync } from 'node:fs';
import { SqliteStore } from '../../../src/storage/index.js';

/**
 * Commits ever more to the store at argv[2], three commits at a time, until
 * three in a row were refused; prints `ack key` for each that was acknowledged,
 * and `code` for each that was refused. Then it reads, and prints `read`.
 */
const [path = ''] = process.argv.slice(2);
const store = await SqliteStore.open({ path });
const value = 'x'.repeat(20_000);
let refused = 0;

async function commit(key: string): Promise<void> {
  try {
    await store.commit({ put: [{ key, value }] });
    writeSync(1, `ack ${key}\n`);
    refused = 0;
  } catch (error) {
    writeSync(1, `${String((error as { code?: string }).code)}\n`);
    refused += 1;
  }
}

for (let round = 0; refused < 3; round++) await Promise.all([0, 1, 2].map((index) => commit(`${round}/${index}`)));
await store.range('', { limit: 1 });
writeSync(1, 'read\n');
await store[Symbol.asyncDispose]();
