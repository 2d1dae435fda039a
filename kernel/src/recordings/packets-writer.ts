import { join } from 'node:path';
import { constants, createBrotliCompress, type BrotliCompress } from 'node:zlib';
import { PosternError, type Hold } from '@postern/plugin-sdk';
import { AppendFile } from './append-file.js';
import type { FormatWriter } from './format-writer.js';
import { markLine, packetLine } from './recorded-line.js';

/** A crash loses what was taken within this time, at most. */
const flushEveryMs = 2000;
/** What waits for the compressor, in bytes, before the session is held. */
const writableHighWaterMark = 1024 * 1024;
const settings = {
  writableHighWaterMark,
  params: { [constants.BROTLI_PARAM_QUALITY]: 3, [constants.BROTLI_PARAM_LGWIN]: 24 },
};

/**
 * The lines of {@link LinesWriter}, compressed as they come. Pictures repeat
 * what was shown long before, so the window is the largest that the format has;
 * the compressor works in a thread of its own.
 */
export class PacketsWriter implements FormatWriter {
  readonly #compressor: BrotliCompress;
  readonly #stored: Promise<void>;
  #failure: PosternError | undefined;
  #flushTimer: NodeJS.Timeout | undefined;
  #draining: Promise<void> | undefined;

  private constructor(private readonly file: AppendFile) {
    this.#compressor = createBrotliCompress(settings);
    this.#stored = this.#store().catch((cause: unknown) => {
      this.#failure = PosternError.from(cause);
      this.#compressor.destroy();
    });
  }

  static async create(directory: string): Promise<PacketsWriter> {
    return new PacketsWriter(await AppendFile.create(join(directory, 'packets.jsonl.br')));
  }

  get files(): readonly AppendFile[] {
    return [this.file];
  }

  get bytes(): number {
    return this.file.length;
  }

  write(direction: 'in' | 'out', data: Buffer, atMs: number): Hold {
    return this.#append(packetLine(direction, data, atMs));
  }

  mark(name: string, fields: Readonly<Record<string, unknown>>, atMs: number): Hold {
    return this.#append(markLine(name, fields, atMs));
  }

  async close(): Promise<void> {
    clearTimeout(this.#flushTimer);
    this.#compressor.end();
    await this.#stored;
    await this.file.close();
    if (this.#failure) throw this.#failure;
  }

  #append(line: string): Hold {
    if (this.#failure) throw this.#failure;
    this.#flushTimer ??= setTimeout(() => this.#flush(), flushEveryMs).unref();
    if (!this.#compressor.write(line)) return this.#drained();
  }

  #flush(): void {
    this.#flushTimer = undefined;
    if (!this.#compressor.destroyed && !this.#compressor.writableEnded) this.#compressor.flush();
  }

  async #store(): Promise<void> {
    for await (const chunk of this.#compressor) await this.file.append(chunk as Buffer);
  }

  async #drained(): Promise<void> {
    await (this.#draining ??= this.#drain());
    if (this.#failure) throw this.#failure;
  }

  /** One for all that wait, however many connections write to the same recording. */
  async #drain(): Promise<void> {
    await new Promise<void>((resolve) => {
      const done = (): void => {
        this.#compressor.off('drain', done).off('close', done);
        resolve();
      };
      this.#compressor.on('drain', done).on('close', done);
    });
    this.#draining = undefined;
  }
}
