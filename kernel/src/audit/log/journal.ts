import { mkdir, open, type FileHandle } from 'node:fs/promises';
import { PosternError } from '@postern/plugin-sdk';
import { syncDirectory } from '../durable-file.js';
import { entriesPerFile, journalDirectory, journalFiles, journalPath, readJournalFile } from './journal-files.js';

export interface JournalEnd {
  /** How many lines are durable, in all files. */
  readonly size: number;
  /** Where they end in the file that is being written; 0 where that file is still to be made. */
  readonly bytes: number;
}

const newline = 0x0a;

function joined(lines: readonly Buffer[]): Buffer {
  const target = Buffer.allocUnsafe(lines.reduce((sum, line) => sum + line.length + 1, 0));
  let at = 0;
  for (const line of lines) {
    target.set(line, at);
    at += line.length + 1;
    target[at - 1] = newline;
  }
  return target;
}

/**
 * The append-only files that an event must be in before it is acknowledged: a
 * line is exactly the bytes of a leaf. One writer at a time.
 */
export class Journal implements AsyncDisposable {
  #handle: FileHandle | undefined;
  #file = -1;
  #failure: PosternError | undefined;

  private constructor(
    private readonly directory: string,
    private durable: JournalEnd,
  ) {}

  /** Opens the journal at its last whole line. What follows that line must have been dealt with before. */
  static async open(directory: string): Promise<Journal> {
    await mkdir(journalDirectory(directory), { recursive: true, mode: 0o700 });
    await syncDirectory(directory);
    const last = (await journalFiles(directory)).at(-1) ?? 0;
    let lines = 0;
    let bytes = 0;
    for await (const chunk of readJournalFile(directory, last)) {
      if (chunk.unfinished) throw new PosternError('internal', `${journalPath(directory, last)} ends inside a line`);
      lines += chunk.lines.length;
      bytes += chunk.lines.reduce((sum, line) => sum + line.length + 1, 0);
    }
    const full = lines === entriesPerFile;
    return new Journal(directory, { size: last * entriesPerFile + lines, bytes: full ? 0 : bytes });
  }

  /** Why it takes nothing any more, once it does not. */
  get failure(): PosternError | undefined {
    return this.#failure;
  }

  get end(): JournalEnd {
    return this.durable;
  }

  /** How many lines the next {@link append} may bring at most. */
  get room(): number {
    return entriesPerFile - (this.durable.size % entriesPerFile);
  }

  /**
   * Appends up to {@link room} lines and resolves once they are durable.
   * Rejects with `audit_unavailable` where the disk refuses them, and then none
   * is there. A sync that failed is final: what the disk holds then, only
   * another start can tell.
   */
  async append(lines: readonly Buffer[]): Promise<void> {
    if (this.#failure) throw this.#failure;
    if (lines.length > this.room) throw new RangeError(`${lines.length} lines do not fit the file`);
    const bytes = joined(lines);
    const handle = await this.#write(bytes);
    try {
      await handle.datasync();
    } catch (cause) {
      this.#failure = this.#refused('failed to sync', cause);
      throw this.#failure;
    }
    const size = this.durable.size + lines.length;
    this.durable = { size, bytes: size % entriesPerFile === 0 ? 0 : this.durable.bytes + bytes.length };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#failure ??= new PosternError('audit_unavailable', 'the audit log is closed');
    await this.#handle?.close();
    this.#handle = undefined;
  }

  async #write(bytes: Buffer): Promise<FileHandle> {
    try {
      const handle = await this.#open(Math.floor(this.durable.size / entriesPerFile));
      for (let written = 0; written < bytes.length;) {
        const result = await handle.write(bytes, written, bytes.length - written, this.durable.bytes + written);
        written += result.bytesWritten;
      }
      return handle;
    } catch (cause) {
      await this.#takeBack();
      throw this.#refused('takes no more events', cause);
    }
  }

  async #open(file: number): Promise<FileHandle> {
    if (this.#handle && this.#file === file) return this.#handle;
    await this.#handle?.close();
    this.#handle = undefined;
    const fresh = this.durable.bytes === 0;
    this.#handle = await open(journalPath(this.directory, file), fresh ? 'w' : 'r+', 0o600);
    this.#file = file;
    if (fresh) await syncDirectory(journalDirectory(this.directory));
    return this.#handle;
  }

  /** Leaves nothing of a refused batch behind, so that its events are neither kept twice nor kept unasked. */
  async #takeBack(): Promise<void> {
    try {
      await this.#handle?.truncate(this.durable.bytes);
    } catch (cause) {
      this.#failure = this.#refused('cannot take back a refused batch', cause);
    }
  }

  #refused(what: string, cause: unknown): PosternError {
    const reason = cause instanceof Error ? cause.message : String(cause);
    return new PosternError('audit_unavailable', `the journal in ${this.directory} ${what}: ${reason}`, { cause });
  }
}
