import { close, fdatasync } from 'node:fs';
import { promisify } from 'node:util';
import { PosternError } from '@postern/plugin-sdk';
import { syncDirectory } from '../durable-file.js';

const datasync = promisify(fdatasync);
const closeFile = promisify(close);

export interface GroupSyncOptions {
  readonly directory: string;
  /** How long after a write its sync begins, at most. */
  readonly intervalMs: number;
  /** How far everything is written right now. */
  readonly position: () => number;
  /** Throws where what was written is nowhere to be found, however well it was synced. */
  readonly verify: () => void;
  /** Everything up to this position survives power loss. */
  readonly onDurable: (position: number) => void;
  readonly onFailure: (error: PosternError) => void;
}

/**
 * Makes writes durable in groups, in the thread pool and never on the caller's
 * way. A failed sync is final: the kernel may have dropped the pages that it
 * could not write, and a later sync that succeeds would prove nothing.
 */
export class GroupSync implements AsyncDisposable {
  #dirty = new Set<number>();
  #joining = new Set<number>();
  #retired = new Set<number>();
  #directoryDirty = false;
  #timer: NodeJS.Timeout | undefined;
  #running: Promise<void> | undefined;
  #next: Promise<void> | undefined;
  #failure: PosternError | undefined;
  #closed = false;

  constructor(private readonly options: GroupSyncOptions) {}

  /** To be called before a write: throws, and fails for good, where the first write of a group would be nowhere to be found. */
  begin(): void {
    if (this.#timer !== undefined || this.#running !== undefined) return;
    try {
      this.options.verify();
    } catch (cause) {
      throw this.#fail(cause);
    }
  }

  /** Notes a write to an open file. */
  mark(file: number): void {
    this.#dirty.add(file);
    if (this.#running || this.#closed) return;
    this.#timer ??= setTimeout(() => void this.#quietly(), this.options.intervalMs).unref();
  }

  /** Notes a write that may wait until there is another reason to sync. */
  join(file: number): void {
    this.#joining.add(file);
  }

  /** Notes that a file was created. */
  markDirectory(): void {
    this.#directoryDirty = true;
  }

  /** Closes a file once it has been synced for the last time. */
  retire(file: number): void {
    this.#retired.add(file);
    this.mark(file);
  }

  /** Resolves once everything that was written before the call is durable. */
  flush(): Promise<void> {
    if (this.#failure) return Promise.reject(this.#failure);
    if (this.#next) return this.#next;
    if (!this.#running) return this.#start();
    this.#next = this.#running.then(() => {
      this.#next = undefined;
      return this.#start();
    });
    return this.#next;
  }

  /** Syncs for the last time. The caller closes the files that it has not retired. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed = true;
    clearTimeout(this.#timer);
    await this.flush();
  }

  #start(): Promise<void> {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#running = this.#sync().finally(() => {
      this.#running = undefined;
      const [another] = this.#dirty;
      if (another !== undefined && !this.#failure) this.mark(another);
    });
    return this.#running;
  }

  /** The timer's call: a failure has reached `onFailure`, and nobody waits for this promise. */
  async #quietly(): Promise<void> {
    await this.flush().catch(() => undefined);
  }

  async #sync(): Promise<void> {
    const position = this.options.position();
    const written = this.#dirty.size > 0;
    const dirty = [...this.#dirty, ...this.#joining];
    const retired = [...this.#retired];
    const directoryDirty = this.#directoryDirty;
    this.#dirty.clear();
    this.#joining.clear();
    this.#retired.clear();
    this.#directoryDirty = false;
    try {
      await Promise.all(dirty.map((file) => datasync(file)));
      if (directoryDirty) await syncDirectory(this.options.directory);
      await Promise.all(retired.map((file) => closeFile(file)));
      if (written) this.options.verify();
    } catch (cause) {
      throw this.#fail(cause);
    }
    this.options.onDurable(position);
  }

  #fail(cause: unknown): PosternError {
    const message = `the disk under ${this.options.directory} failed to sync`;
    this.#failure = PosternError.is(cause) ? cause : new PosternError('audit_unavailable', message, { cause });
    this.options.onFailure(this.#failure);
    return this.#failure;
  }
}
