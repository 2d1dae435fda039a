import { createHash } from 'node:crypto';
import { open, type FileHandle } from 'node:fs/promises';
import { basename } from 'node:path';
import type { Hold } from '@postern/plugin-sdk';
import { PosternError } from '@postern/plugin-sdk';

const highWaterBytes = 1024 * 1024;
/** What waits is written at the latest after this time, or once there is so much of it. */
const writeEveryMs = 50;
const writeBytes = 64 * 1024;
const syncEveryMs = 1000;

/**
 * A file that only grows, written off the caller's path. `append` returns at
 * once while less than a megabyte waits for the disk, and a promise above that.
 * What was appended is written within 50 ms, flushed to the disk at most a
 * second later, and both before `close` resolves. After a failure every call
 * throws: a recording with a hole in it must not look like a whole one. So does
 * `append` once `close` was called.
 */
export class AppendFile {
  readonly #hash = createHash('sha256');
  /** Texts and bytes in their order. Neighbouring texts are one: a string grows for next to nothing. */
  #queue: (string | Buffer)[] = [];
  #waiting = 0;
  #written = 0;
  #dirty = false;
  #closed = false;
  #failure: PosternError | undefined;
  #writing: Promise<void> | undefined;
  #syncing: Promise<void> = Promise.resolve();
  #writeTimer: NodeJS.Timeout | undefined;
  #syncTimer: NodeJS.Timeout | undefined;
  readonly #room: (() => void)[] = [];

  private constructor(
    private readonly file: FileHandle,
    /** The last part of its path. */
    readonly name: string,
    private readonly after: AppendFile | undefined,
  ) {}

  /** What is appended here is written behind what was appended to `after` before, and not at all once that failed. */
  static async create(path: string, after?: AppendFile): Promise<AppendFile> {
    return new AppendFile(await open(path, 'ax', 0o600), basename(path), after);
  }

  /** Bytes written so far; all of them once it is closed. */
  get length(): number {
    return this.#written;
  }

  /** SHA-256 of what was written, in hexadecimal. To be asked for once, when it is closed. */
  digest(): string {
    return this.#hash.digest('hex');
  }

  /** Takes text, which is written as UTF-8, or bytes, which the caller does not change any more. */
  append(data: string | Buffer): Hold {
    if (this.#failure) throw this.#failure;
    if (this.#closed) throw new PosternError('audit_unavailable', 'a recording that was closed takes nothing more');
    const last = this.#queue.length - 1;
    const before = this.#queue[last];
    if (typeof data === 'string' && typeof before === 'string') this.#queue[last] = before + data;
    else this.#queue.push(data);
    this.#waiting += data.length;
    if (this.#waiting >= writeBytes) void this.#write();
    else if (!this.#writing) this.#writeTimer ??= setTimeout(() => void this.#write(), writeEveryMs).unref();
    if (this.#waiting > highWaterBytes) return this.#hasRoom();
  }

  async close(): Promise<void> {
    this.#closed = true;
    try {
      await this.#write();
      await this.#sync();
      if (this.#failure) throw this.#failure;
    } finally {
      clearTimeout(this.#syncTimer);
      await this.file.close();
    }
  }

  /** Resolves once everything that was appended before the call is written, or never will be. */
  async #write(): Promise<void> {
    clearTimeout(this.#writeTimer);
    this.#writeTimer = undefined;
    if (this.#queue.length > 0) this.#writing ??= this.#drain();
    await this.#writing;
  }

  async #drain(): Promise<void> {
    for (let size = this.#waiting; this.#queue.length > 0; size = this.#waiting) {
      const chunks = this.#queue.splice(0);
      if (this.after) {
        await this.after.#write();
        this.#failure ??= this.after.#failure;
      }
      if (!this.#failure) await this.#writeOnce(joined(chunks), size);
    }
    this.#writing = undefined;
    for (const wake of this.#room.splice(0)) wake();
  }

  async #writeOnce(data: Buffer, size: number): Promise<void> {
    try {
      for (let at = 0; at < data.length;) {
        const { bytesWritten } = await this.file.write(data, at);
        this.#hash.update(data.subarray(at, at + bytesWritten));
        at += bytesWritten;
        // What a full disk took of a chunk is in the file as well.
        this.#written += bytesWritten;
      }
      this.#waiting -= size;
      this.#dirty = true;
      if (!this.#closed) this.#syncTimer ??= setTimeout(() => void this.#sync(), syncEveryMs).unref();
      if (this.#waiting < highWaterBytes / 2) for (const wake of this.#room.splice(0)) wake();
    } catch (cause) {
      this.#failure = new PosternError('audit_unavailable', 'a recording could not be written', { cause });
    }
  }

  #sync(): Promise<void> {
    this.#syncTimer = undefined;
    if (!this.#dirty) return this.#syncing;
    this.#dirty = false;
    this.#syncing = this.file.datasync().catch((cause: unknown) => {
      this.#failure ??= new PosternError('audit_unavailable', 'a recording could not be flushed', { cause });
    });
    return this.#syncing;
  }

  async #hasRoom(): Promise<void> {
    await new Promise<void>((resolve) => this.#room.push(resolve));
    if (this.#failure) throw this.#failure;
  }
}

function joined(chunks: readonly (string | Buffer)[]): Buffer {
  const [first] = chunks;
  if (chunks.length === 1 && first instanceof Buffer) return first;
  return Buffer.concat(chunks.map((chunk) => (typeof chunk === 'string' ? Buffer.from(chunk) : chunk)));
}
