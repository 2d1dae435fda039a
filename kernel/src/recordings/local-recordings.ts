import { constants } from 'node:fs';
import { mkdir, open, readdir, rename, rm, stat, type FileHandle } from 'node:fs/promises';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { PosternError } from '@postern/plugin-sdk';
import type { FormatWriter } from './format-writer.js';
import { hashFiles } from './hash-files.js';
import { LinesWriter } from './lines-writer.js';
import { LocalRecording } from './local-recording.js';
import { recordingFiles, recordingMetadata, type RecordingMetadata } from './metadata.js';
import { PacketsWriter } from './packets-writer.js';
import type { RecordingFilter, RecordingInProgress, RecordingStart, RecordingStore } from './recording-store.js';
import { TerminalWriter } from './terminal-writer.js';
import { terminalDurationMs } from './timing.js';

const safeName = /^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$/;

const writers: Readonly<Record<RecordingMetadata['format'], (directory: string, at: Date) => Promise<FormatWriter>>> = {
  terminal: (directory, started) => TerminalWriter.create(directory, started),
  lines: (directory) => LinesWriter.create(directory),
  packets: (directory) => PacketsWriter.create(directory),
};

/** Recordings as plain files: `<directory>/<session>/<number>/`. Files are 0600, directories 0700. */
export class LocalRecordings implements RecordingStore {
  private constructor(
    private readonly directory: string,
    private readonly now: () => Date,
  ) {}

  static async open(directory: string, now: () => Date = () => new Date()): Promise<LocalRecordings> {
    await mkdir(directory, { recursive: true, mode: 0o700 });
    return new LocalRecordings(directory, now);
  }

  async create(start: RecordingStart): Promise<RecordingInProgress> {
    const session = this.#path(start.session);
    return this.#create(session, start).catch((cause: unknown) => {
      if (PosternError.is(cause)) throw cause;
      throw new PosternError('audit_unavailable', 'a recording could not be created', { cause });
    });
  }

  async #create(session: string, start: RecordingStart): Promise<RecordingInProgress> {
    await mkdir(session, { recursive: true, mode: 0o700 });
    const recording = await this.#claim(session);
    const started = this.now();
    const metadata: RecordingMetadata = {
      ...start,
      version: 1,
      recording,
      started: started.toISOString(),
      durationMs: 0,
      bytes: 0,
    };
    const directory = join(session, recording);
    const begin = async (): Promise<FormatWriter> => {
      await writeMetadata(directory, metadata);
      return writers[start.format](directory, started);
    };
    const writer = await begin().catch(async (cause: unknown) => {
      await rm(directory, { recursive: true, force: true });
      throw cause;
    });
    return new LocalRecording({ metadata, writer, now: this.now, save: (done) => writeMetadata(directory, done) });
  }

  async list(filter: RecordingFilter): Promise<readonly RecordingMetadata[]> {
    const found: RecordingMetadata[] = [];
    // Session ids sort by time, so that the newest come first without reading the older ones.
    const sessions = filter.session ? [filter.session] : (await this.#sessions()).sort().reverse();
    for (const session of sessions) {
      if (found.length >= filter.limit) break;
      for (const metadata of await this.#ofSession(session))
        if (!filter.user || metadata.user === filter.user) found.push(metadata);
    }
    return found.slice(0, filter.limit);
  }

  async read(session: string, recording: string, file: string): Promise<Readable> {
    const metadata = await readMetadata(join(this.#path(session), recording, 'metadata.json'), recording);
    const files: readonly string[] = [...recordingFiles[metadata.format], 'metadata.json'];
    if (!files.includes(file)) throw PosternError.public('not_found', `a ${metadata.format} recording has no ${file}`);
    const handle = await openPlain(join(this.#path(session), recording, file)).catch((cause: unknown) => {
      throw PosternError.public('not_found', 'the recording has no such file', cause);
    });
    return handle.createReadStream();
  }

  async recover(): Promise<readonly RecordingMetadata[]> {
    const recovered: RecordingMetadata[] = [];
    for (const session of await this.#sessions()) {
      for (const metadata of await this.#ofSession(session)) {
        if (metadata.ended) continue;
        const directory = join(this.#path(session), metadata.recording);
        const hashes = await hashFiles(directory, recordingFiles[metadata.format]);
        const found = { ...metadata, ...(await measure(directory, metadata)), hashes, recovered: true };
        recovered.push(await writeMetadata(directory, found));
      }
    }
    return recovered;
  }

  /** Whatever else lies in the directory, such as a file system's lost+found, is none of ours. */
  async #sessions(): Promise<string[]> {
    return (await readdir(this.directory)).filter((name) => safeName.test(name));
  }

  async #ofSession(session: string): Promise<readonly RecordingMetadata[]> {
    const names = await readdir(this.#path(session)).catch(() => []);
    const byNumber = names.sort((a, b) => Number(a) - Number(b));
    const found = byNumber.map((name) => readMetadata(join(this.#path(session), name, 'metadata.json'), name));
    return (await Promise.allSettled(found)).flatMap((one) => (one.status === 'fulfilled' ? [one.value] : []));
  }

  /** Directories are made, never reused: two recordings that start at once get two numbers. */
  async #claim(session: string): Promise<string> {
    // Most sessions have one.
    if (await madeNew(join(session, '1'))) return '1';
    for (let number = (await readdir(session)).length + 1; number < 100_000; number++)
      if (await madeNew(join(session, String(number)))) return String(number);
    throw new PosternError('limit_exceeded', 'a session may have 100,000 recordings');
  }

  #path(session: string): string {
    if (!safeName.test(session)) throw PosternError.public('not_found', 'no such recording');
    return join(this.directory, session);
  }
}

/** False where the directory is there already. */
async function madeNew(directory: string): Promise<boolean> {
  try {
    await mkdir(directory, { mode: 0o700 });
    return true;
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw cause;
  }
}

async function measure(directory: string, metadata: RecordingMetadata): Promise<Partial<RecordingMetadata>> {
  const [data] = recordingFiles[metadata.format];
  const { size, mtime } = await stat(join(directory, data)).catch(() => ({
    size: 0,
    mtime: new Date(metadata.started),
  }));
  const durationMs =
    metadata.format === 'terminal'
      ? await terminalDurationMs(join(directory, 'timing'))
      : Math.max(0, mtime.getTime() - Date.parse(metadata.started));
  return { bytes: size, durationMs, ended: mtime.toISOString() };
}

async function readMetadata(path: string, recording: string): Promise<RecordingMetadata> {
  if (!safeName.test(recording)) throw PosternError.public('not_found', 'no such recording');
  const text = await textOf(path).catch((cause: unknown) => {
    throw PosternError.public('not_found', 'no such recording', cause);
  });
  return recordingMetadata.parse(JSON.parse(text));
}

async function textOf(path: string): Promise<string> {
  const file = await openPlain(path);
  try {
    return await file.readFile('utf8');
  } finally {
    await file.close();
  }
}

/** Opens a file for reading, not what a link in its place points to. */
const openPlain = (path: string): Promise<FileHandle> => open(path, constants.O_RDONLY | constants.O_NOFOLLOW);

/** Atomic and durable: a reader sees the old text or the new one. */
async function writeMetadata(directory: string, metadata: RecordingMetadata): Promise<RecordingMetadata> {
  const path = join(directory, 'metadata.json');
  const file = await open(`${path}.new`, 'w', 0o600);
  try {
    await file.writeFile(`${JSON.stringify(metadata, null, 2)}\n`);
    await file.sync();
  } finally {
    await file.close();
  }
  await rename(`${path}.new`, path);
  return metadata;
}
