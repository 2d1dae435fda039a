import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { LocalRecordings, type RecordingMetadata, type RecordingStart } from '../../src/recordings/index.js';

export const isFull = process.env['POSTERN_TEST_FULL'] === '1';

/** Recordings in a directory of their own, which is removed at the end. */
export class Store implements AsyncDisposable {
  private constructor(
    readonly directory: string,
    readonly recordings: LocalRecordings,
  ) {}

  static async open(now?: () => Date): Promise<Store> {
    const directory = await mkdtemp(join(tmpdir(), 'postern-recordings-'));
    return new Store(directory, await LocalRecordings.open(directory, now));
  }

  /** The path of a file of a session's recording. */
  in(session: string, file: string, recording = '1'): string {
    return join(this.directory, session, recording, file);
  }

  /** Makes a recording look as if the process had died before it could complete it. */
  async reopen(session: string): Promise<void> {
    const path = this.in(session, 'metadata.json');
    const { ended: _ended, hashes: _hashes, ...open } = JSON.parse(await readFile(path, 'utf8')) as RecordingMetadata;
    await writeFile(path, JSON.stringify(open));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await rm(this.directory, { recursive: true, force: true });
  }
}

/** What is known when a test's recording starts. */
export const start = (session: string, format: RecordingStart['format'] = 'terminal'): RecordingStart => ({
  session,
  kind: 'screen',
  format,
  user: 'ann',
  resourceKind: 'store',
  resource: 'orders',
  cluster: 'cluster.test',
  header: {},
});
