import { pipeline } from 'node:stream/promises';
import { asciicast } from '../../recordings/asciicast.js';
import { findRecording } from '../recordings/find.js';
import { framesOf, recordingFile, resizesOf } from '../recordings/read.js';
import { withClient } from './with-client.js';

/** `psh recordings export`. A recording that is no terminal is written as it is stored: as JSON lines. */
export async function exportRecording(
  session: string,
  { cluster, format }: { readonly cluster?: string; readonly format: 'cast' | 'raw' },
): Promise<void> {
  await withClient(cluster, async (client) => {
    const found = await findRecording(client, session);
    if (format === 'raw' || found.format === 'lines') {
      const file = await recordingFile(client, found, found.format === 'lines' ? 'lines.jsonl' : 'output');
      return pipeline(file, process.stdout, { end: false });
    }
    const lines = asciicast(
      { version: 1, cluster: '', ...found },
      await framesOf(client, found),
      await resizesOf(client, found),
    );
    for await (const line of lines) process.stdout.write(`${line}\n`);
  });
}
