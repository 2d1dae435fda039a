/** Records a terminal session and its packets for as long as it lives. Killed by its test. */
import { setImmediate as tick } from 'node:timers/promises';
import { LocalRecordings } from '../../../src/recordings/index.js';
import { start } from '../support.js';

const [directory = '', session = ''] = process.argv.slice(2);

async function main(): Promise<void> {
  const recordings = await LocalRecordings.open(directory);
  const made = await Promise.all(
    (['terminal', 'lines', 'packets'] as const).map((format) => recordings.create(start(session, format))),
  );
  for (let count = 0; ; count += 1) {
    const line = Buffer.from(`${count} ${'x'.repeat((count * 37) % 900)}\n`);
    for (const one of made) await one.write('out', line);
    await tick();
  }
}

void main();
