import { join } from 'node:path';
import { PosternError } from '@postern/plugin-sdk';
import { replaceFileDurably } from '../durable-file.js';
import { formatCheckpoint, signNote, type NoteSigner, type TileFile, type TileWriter } from '../tlog/index.js';
import { writeStreamCache, type StreamSnapshot } from './stream-cache.js';
import { removePartials, TileStore } from './tile-store.js';

export interface PublisherOptions {
  readonly directory: string;
  readonly origin: string;
  readonly signer: NoteSigner;
  readonly tree: TileWriter;
  /** The size of the checkpoint on disk; `undefined` where there is none. */
  readonly published: number | undefined;
  /** The least time between two checkpoints. */
  readonly intervalMs: number;
  readonly onFailure: (error: PosternError) => void;
}

const maxRetryMs = 30_000;

/**
 * Writes tiles and signs checkpoints behind the journal's back. Events do not
 * wait for it; what it has not done, the next start does from the journal.
 */
export class Publisher implements AsyncDisposable {
  readonly #tiles: TileStore;
  #signer: NoteSigner;
  #published: number | undefined;
  #unwritten: TileFile[] = [];
  #snapshot: StreamSnapshot | undefined;
  #timer: NodeJS.Timeout | undefined;
  #notBefore = 0;
  #retryMs: number;
  #running: Promise<void> | undefined;
  #next: Promise<void> | undefined;
  #failure: PosternError | undefined;
  #closed = false;

  constructor(private readonly options: PublisherOptions) {
    this.#tiles = new TileStore(options.directory);
    this.#signer = options.signer;
    this.#published = options.published;
    this.#retryMs = options.intervalMs;
  }

  /** Why the last attempt failed, until one succeeds. */
  get failure(): PosternError | undefined {
    return this.#failure;
  }

  /** How many bytes of full tiles are in memory only. */
  get pendingBytes(): number {
    return this.options.tree.fullBytes + this.#unwritten.reduce((sum, { bytes }) => sum + bytes.length, 0);
  }

  /** Another key signs from now on: the next checkpoint is made even where nothing was appended. */
  signBy(signer: NoteSigner): void {
    if (!signer.publicKey.equals(this.#signer.publicKey)) this.#published = undefined;
    this.#signer = signer;
  }

  /** Publishes as soon as the interval allows. */
  soon(): void {
    if (this.#timer || this.#closed) return;
    const waitMs = Math.max(0, this.#notBefore - performance.now());
    this.#timer = setTimeout(() => void this.#quietly(), waitMs).unref();
  }

  /** Resolves once a checkpoint covers everything that the tree had when this was called. */
  now(): Promise<void> {
    if (this.#next) return this.#next;
    if (!this.#running) return this.#start();
    this.#next = this.#running
      .catch(() => undefined)
      .then(() => {
        this.#next = undefined;
        return this.#start();
      });
    return this.#next;
  }

  /** Takes a copy of the streams' state, to be kept with the next checkpoint. */
  keep(snapshot: StreamSnapshot): void {
    this.#snapshot = snapshot;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed = true;
    clearTimeout(this.#timer);
    await this.now();
  }

  /** The timer's call: a failure has reached `onFailure`, and nobody waits for this promise. */
  async #quietly(): Promise<void> {
    this.#timer = undefined;
    await this.now().catch(() => undefined);
  }

  #start(): Promise<void> {
    this.#running = this.#attempt().finally(() => {
      this.#running = undefined;
    });
    return this.#running;
  }

  async #attempt(): Promise<void> {
    const { intervalMs, onFailure } = this.options;
    try {
      await this.#publish();
      this.#failure = undefined;
      this.#retryMs = intervalMs;
      this.#notBefore = performance.now() + intervalMs;
    } catch (cause) {
      this.#failure = PosternError.from(cause);
      this.#notBefore = performance.now() + this.#retryMs;
      this.#retryMs = Math.min(this.#retryMs * 2, maxRetryMs);
      this.soon();
      onFailure(this.#failure);
      throw this.#failure;
    }
  }

  async #publish(): Promise<void> {
    const { directory, origin, tree } = this.options;
    const signer = this.#signer;
    const head = tree.head;
    if (head.size === this.#published && this.#unwritten.length === 0) return;
    // From here to the first await, nothing can be appended: tiles and head belong together.
    this.#unwritten.push(...tree.takeFull());
    const full = [...this.#unwritten];
    await this.#tiles.write([...full, ...tree.partials()]);
    this.#unwritten.splice(0, full.length);
    await removePartials(directory, full);
    const note = await signNote(formatCheckpoint({ origin, ...head }), signer);
    await replaceFileDurably(join(directory, 'checkpoint'), note);
    // By another key, it is to be signed again.
    if (signer === this.#signer) this.#published = head.size;
    await this.#keepSnapshot();
  }

  async #keepSnapshot(): Promise<void> {
    const snapshot = this.#snapshot;
    if (!snapshot) return;
    await writeStreamCache(this.options.directory, snapshot);
    if (this.#snapshot === snapshot) this.#snapshot = undefined;
  }
}
