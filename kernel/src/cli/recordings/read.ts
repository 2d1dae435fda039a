import { createInterface } from 'node:readline';
import { Readable } from 'node:stream';
import { createBrotliDecompress } from 'node:zlib';
import type { RecordedEntry } from '@postern/plugin-sdk';
import type { ApiClient } from '../../api/api-client.js';
import { getRecordingFile } from '../../api/contract/sessions.js';
import type { TerminalResize } from '../../recordings/asciicast.js';
import { terminalFrames, type TerminalFrame } from '../../recordings/terminal-frames.js';
import type { FoundRecording } from './find.js';

/** One file of a recording as it is stored. */
export const recordingFile = (
  client: ApiClient,
  { session, recording }: FoundRecording,
  file: string,
): Promise<Readable> => client.bytes(getRecordingFile, { session, recording, file });

/** The output of a terminal recording, piece by piece. */
export async function framesOf(client: ApiClient, found: FoundRecording): Promise<AsyncIterable<TerminalFrame>> {
  const [output, timing] = await Promise.all([
    recordingFile(client, found, 'output'),
    recordingFile(client, found, 'timing'),
  ]);
  return terminalFrames(output, timing);
}

/** When the window of a terminal recording changed its size. */
export async function resizesOf(client: ApiClient, found: FoundRecording): Promise<readonly TerminalResize[]> {
  const resizes: TerminalResize[] = [];
  for await (const { ms, mark, ...fields } of marksOf(await recordingFile(client, found, 'marks.jsonl'))) {
    const { columns, rows } = fields;
    if (mark === 'resize' && typeof columns === 'number' && typeof rows === 'number')
      resizes.push({ atMs: ms, columns, rows });
  }
  return resizes;
}

/** What a recording that is no terminal consists of, entry by entry. */
export async function entriesOf(client: ApiClient, found: FoundRecording): Promise<AsyncIterable<RecordedEntry>> {
  if (found.format === 'lines') return marksOf(await recordingFile(client, found, 'lines.jsonl'));
  return marksOf(decompressed(await recordingFile(client, found, 'packets.jsonl.br')));
}

/** What a crash left torn is read as far as it goes. */
function decompressed(file: Readable): Readable {
  const plain = file.pipe(createBrotliDecompress());
  file.once('error', (cause) => plain.destroy(cause));
  const torn = (cause: NodeJS.ErrnoException): boolean => cause.code === 'Z_BUF_ERROR';
  return Readable.from(
    (async function* () {
      try {
        yield* plain as AsyncIterable<Buffer>;
      } catch (cause) {
        if (!torn(cause as NodeJS.ErrnoException)) throw cause;
      }
    })(),
    { objectMode: false },
  );
}

/** The lines of a file of JSON lines; a torn last line, as a crash leaves it, is left out. */
async function* marksOf(file: Readable): AsyncGenerator<RecordedEntry> {
  for await (const line of createInterface({ input: file, crlfDelay: Infinity })) {
    const value = parsed(line);
    if (value) yield value;
  }
}

function parsed(line: string): RecordedEntry | undefined {
  try {
    return JSON.parse(line) as RecordedEntry;
  } catch {
    return undefined;
  }
}
