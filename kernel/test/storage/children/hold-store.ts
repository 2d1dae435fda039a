import { SqliteStore } from '../../../src/storage/index.js';

/** Opens the store at argv[2], says so or why not in one line, and keeps it until its input ends. */
const [path = ''] = process.argv.slice(2);
try {
  const store = await SqliteStore.open({ path });
  process.stdout.write('open\n');
  process.stdin.resume().on('end', () => void store[Symbol.asyncDispose]());
} catch (error) {
  process.stdout.write(`${String((error as { code?: string }).code)}: ${String((error as Error).message)}\n`);
}
