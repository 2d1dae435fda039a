import { PosternError, type Hold } from '@postern/plugin-sdk';
import type { FormatWriter } from './format-writer.js';
import type { RecordingMetadata } from './metadata.js';
import type { RecordingInProgress } from './recording-store.js';

export interface LocalRecordingOptions {
  readonly metadata: RecordingMetadata;
  readonly writer: FormatWriter;
  readonly now: () => Date;
  /** Stores the final metadata. */
  readonly save: (metadata: RecordingMetadata) => Promise<RecordingMetadata>;
}

/** A recording in progress in a local directory. Stamps the time; the writer knows the format. */
export class LocalRecording implements RecordingInProgress {
  readonly #started: number;
  #lastMs = 0;
  #completing: Promise<RecordingMetadata> | undefined;

  constructor(private readonly options: LocalRecordingOptions) {
    this.#started = options.now().getTime();
  }

  get recording(): string {
    return this.options.metadata.recording;
  }

  write(direction: 'in' | 'out', data: Buffer): Hold {
    this.#refuseWhenClosed();
    if (data.length > 0) return this.options.writer.write(direction, data, this.#elapsedMs());
  }

  mark(name: string, fields: Readonly<Record<string, unknown>>): Hold {
    this.#refuseWhenClosed();
    return this.options.writer.mark(name, fields, this.#elapsedMs());
  }

  async close(): Promise<void> {
    await this.complete();
  }

  complete(): Promise<RecordingMetadata> {
    return (this.#completing ??= this.#complete());
  }

  async #complete(): Promise<RecordingMetadata> {
    const { metadata, writer, now, save } = this.options;
    const durationMs = this.#elapsedMs();
    await writer.close();
    // Of what was recorded: reading the files again would cost more, and believe whoever changed them meanwhile.
    const hashes = Object.fromEntries(writer.files.map((file) => [file.name, file.digest()]));
    return save({ ...metadata, durationMs, bytes: writer.bytes, ended: now().toISOString(), hashes });
  }

  #refuseWhenClosed(): void {
    if (this.#completing) throw new PosternError('audit_unavailable', 'a recording that was closed takes nothing more');
  }

  /** A clock that is set back makes no entry older than the one before it. */
  #elapsedMs(): number {
    return (this.#lastMs = Math.max(this.#lastMs, this.options.now().getTime() - this.#started));
  }
}
