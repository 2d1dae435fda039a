import { createReadStream } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { PosternError, type PlayerModule } from '@postern/plugin-sdk';
import type { ApiClient } from '../../api/api-client.js';
import { recordingFiles } from '../../recordings/metadata.js';
import { asciicast } from '../../recordings/asciicast.js';
import { findRecording, type FoundRecording } from '../recordings/find.js';
import { playerOf, recordedSession } from '../recordings/players.js';
import { framesOf, recordingFile, resizesOf } from '../recordings/read.js';
import type { PshProduct } from './product.js';
import { withClient } from './with-client.js';

export interface ExportOptions {
  readonly cluster?: string;
  /** `cast`, `raw`, or one that the recording's protocol knows. */
  readonly format?: string;
  /** Seconds since the start. */
  readonly at?: number;
  readonly out?: string;
  /** One of several, by its number. */
  readonly recording?: string;
}

/** `psh recordings export`. */
export async function exportRecording(product: PshProduct, session: string, options: ExportOptions): Promise<void> {
  await withClient(options.cluster, async (client) => {
    const { recording: found } = await findRecording(client, session, options.recording);
    const { format = found.format === 'terminal' ? 'cast' : 'raw' } = options;
    if (format === 'raw') return stored(client, found);
    if (format === 'cast' && found.format === 'terminal') return cast(client, found);
    const player = await playerOf(await product.load(), found);
    await converted({ client, found, player }, format, options);
  });
}

/** The data as it is stored. */
async function stored(client: ApiClient, found: FoundRecording): Promise<void> {
  const [file] = recordingFiles[found.format];
  await pipeline(await recordingFile(client, found, file), process.stdout, { end: false });
}

async function cast(client: ApiClient, found: FoundRecording): Promise<void> {
  const lines = asciicast(
    { version: 1, cluster: '', ...found },
    await framesOf(client, found),
    await resizesOf(client, found),
  );
  for await (const line of lines) process.stdout.write(`${line}\n`);
}

interface Conversion {
  readonly client: ApiClient;
  readonly found: FoundRecording;
  readonly player: PlayerModule | undefined;
}

async function converted({ client, found, player }: Conversion, format: string, options: ExportOptions): Promise<void> {
  const { out, at } = options;
  const exporter = player?.exports?.[format];
  if (!exporter) {
    const known = ['raw', ...(found.format === 'terminal' ? ['cast'] : []), ...Object.keys(player?.exports ?? {})];
    throw PosternError.public(
      'invalid_argument',
      `a recording of ${found.resourceKind} is not exported as ${format}; there is: ${known.join(', ')}`,
    );
  }
  const write = (file: string): Promise<void> =>
    interruptible((signal) =>
      exporter.export(recordedSession(client, found), {
        file,
        signal,
        progress: showProgress,
        ...(at !== undefined && { atMs: at * 1000 }),
      }),
    );
  if (out === undefined) return printed(write, format);
  await write(out);
  process.stderr.write(`${process.stderr.isTTY ? '\r' : ''}${exporter.title}: ${out}\n`);
}

async function interruptible(work: (signal: AbortSignal) => Promise<void>): Promise<void> {
  const stop = new AbortController();
  const interrupt = (): void => stop.abort(PosternError.public('aborted', 'interrupted'));
  process.once('SIGINT', interrupt);
  try {
    await work(stop.signal);
  } finally {
    process.off('SIGINT', interrupt);
  }
}

/** Exporters write files, since not every format can be written from its beginning to its end. */
async function printed(write: (file: string) => Promise<void>, format: string): Promise<void> {
  if (process.stdout.isTTY) throw PosternError.public('invalid_argument', `name the file to write: --out x.${format}`);
  const directory = await mkdtemp(join(tmpdir(), 'psh-'));
  try {
    const file = join(directory, `export.${format}`);
    await write(file);
    await pipeline(createReadStream(file), process.stdout, { end: false });
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

function showProgress(done: number): void {
  if (process.stderr.isTTY) process.stderr.write(`\r${Math.round(done * 100)} % `);
}
