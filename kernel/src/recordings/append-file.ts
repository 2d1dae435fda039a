import { open, type FileHandle } from 'node:fs/promises';
import type { Hold } from '@postern/plugin-sdk';
import { PosternError } from '@postern/plugin-sdk';

const highWaterBytes = 1024 * 1024;
const syncEveryMs = 1000;

/**
 * A file that only grows, written off the caller's path. `append` returns at
 * once while less than a megabyte waits for the disk, and a promise above that.
 * What was appended is flushed to the disk at most a second later, and before
 * `close` resolves. After a failure every call throws: a recording with a hole
 * in it must not look like a whole one.
 */
export class AppendFile {
  #queue: Buffer[] = [];
  #waiting = 0;
  #written = 0;
  #dirty = false;
  #failure: PosternError | undefined;
  #writing: Promise<void> | undefined;
  readonly #room: (() => void)[] = [];
  readonly #timer: NodeJS.Timeout;

  private constructor(private readonly file: FileHandle) {
    this.#timer = setInterval(() => void this.#sync(), syncEveryMs).unref();
  }

  static async create(path: string): Promise<AppendFile> {
    return new AppendFile(await open(path, 'ax', 0o600));
  }

  /** Bytes accepted so far. */
  get length(): number {
    return this.#written + this.#waiting;
  }

  append(data: Buffer): Hold {
    if (this.#failure) throw this.#failure;
    this.#queue.push(data);
    this.#waiting += data.length;
    this.#writing ??= this.#drain();
    if (this.#waiting > highWaterBytes) return this.#hasRoom();
  }

  async close(): Promise<void> {
    clearInterval(this.#timer);
    try {
      await this.#writing;
      await this.#sync();
      if (this.#failure) throw this.#failure;
    } finally {
      await this.file.close();
    }
  }

  async #drain(): Promise<void> {
    // One tick of patience lets the chunks of a burst become one write.
    await Promise.resolve();
    while (this.#queue.length > 0 && !this.#failure) await this.#writeOnce(this.#queue.splice(0));
    this.#writing = undefined;
    for (const wake of this.#room.splice(0)) wake();
  }

  async #writeOnce(chunks: readonly Buffer[]): Promise<void> {
    try {
      const data = chunks.length === 1 && chunks[0] ? chunks[0] : Buffer.concat(chunks);
      for (let at = 0; at < data.length;) at += (await this.file.write(data, at)).bytesWritten;
      this.#written += data.length;
      this.#waiting -= data.length;
      this.#dirty = true;
      if (this.#waiting < highWaterBytes / 2) for (const wake of this.#room.splice(0)) wake();
    } catch (cause) {
      this.#failure = new PosternError('audit_unavailable', 'a recording could not be written', { cause });
    }
  }

  async #sync(): Promise<void> {
    if (!this.#dirty) return;
    this.#dirty = false;
    await this.file.datasync().catch((cause: unknown) => {
      this.#failure ??= new PosternError('audit_unavailable', 'a recording could not be flushed', { cause });
    });
  }

  async #hasRoom(): Promise<void> {
    await new Promise<void>((resolve) => this.#room.push(resolve));
    if (this.#failure) throw this.#failure;
  }
}
