import { setTimeout as sleep } from 'node:timers/promises';
import { PosternError } from '@postern/plugin-sdk';
import { Bell } from './bell.js';
import { DeliveryHealth, type DeliveryState, type Loss } from './delivery-health.js';
import type { SealedEvent } from './event-sealer.js';
import type { AuditRecord } from './event.js';
import type { AuditSink } from './sink.js';
import type { Spool, SpoolReader } from './spool/index.js';
import { Watermark } from './watermark.js';

export interface DeliveryOptions {
  readonly spool: Spool;
  readonly sink: AuditSink;
  readonly now: () => Date;
  readonly limits?: Partial<DeliveryLimits>;
  /** Called once when the sink has been out of reach for too long, and at once when it refuses what it is sent. */
  readonly onLost?: (loss: Loss) => void;
  readonly onRestored?: (loss: Loss) => void;
}

export interface DeliveryLimits {
  readonly batchEvents: number;
  readonly batchBytes: number;
  /** How far apart batches begin that nobody waits for; a full one is followed at once. */
  readonly intervalMs: number;
  readonly firstRetryMs: number;
  readonly maxRetryMs: number;
  /** How long one attempt may take. */
  readonly attemptTimeoutMs: number;
  /** How long a strict event may wait for its acknowledgement. */
  readonly strictTimeoutMs: number;
  /** How long the sink may be out of reach before that is reported. */
  readonly lostAfterMs: number;
}

const defaults: DeliveryLimits = {
  batchEvents: 512,
  batchBytes: 1024 * 1024,
  intervalMs: 100,
  firstRetryMs: 100,
  maxRetryMs: 10_000,
  attemptTimeoutMs: 30_000,
  strictTimeoutMs: 10_000,
  lostAfterMs: 60_000,
};

/** Strict events cut a pause short; attempts are still at least this far apart. */
const leastPauseMs = 25;

/**
 * Moves events from a spool to a sink: one batch at a time, in the order of
 * their sequence, again and again until the sink has them. Nothing is dropped
 * and nothing overtakes.
 */
export class Delivery implements AsyncDisposable {
  readonly #limits: DeliveryLimits;
  readonly #stop = new AbortController();
  readonly #urgent = new Bell();
  readonly #delivered: Watermark;
  readonly #health: DeliveryHealth;
  readonly #running: Promise<void>;
  /** How many wait for what was written to be acknowledged. */
  #hurried = 0;

  private constructor(private readonly options: DeliveryOptions) {
    this.#limits = { ...defaults, ...options.limits };
    this.#delivered = new Watermark(options.spool.acknowledged);
    this.#health = new DeliveryHealth(options, this.#limits.lostAfterMs);
    this.#running = this.#run();
  }

  /** Begins at once, with what an earlier run left. Dispose it before the spool. */
  static start(options: DeliveryOptions): Delivery {
    return new Delivery(options);
  }

  /** How many events the sink has not acknowledged. */
  get backlog(): number {
    return this.options.spool.backlog.events;
  }

  /** Whether events flow; why not, where they do not. */
  get state(): DeliveryState {
    return this.#health.state();
  }

  /** Resolves once the sink has everything that was written before the call. */
  async idle(signal?: AbortSignal): Promise<void> {
    this.#hurried += 1;
    try {
      await this.options.spool.flush();
      this.#urgent.ring();
      await this.#delivered.reach(this.options.spool.written, signal);
    } finally {
      this.#hurried -= 1;
    }
  }

  /**
   * Resolves once the sink has acknowledged the events as durable. Rejects with
   * `audit_unavailable` where that takes too long: they are still in the spool
   * and will arrive, and their effect must not happen.
   */
  async strict(events: readonly SealedEvent[], closing = false): Promise<void> {
    const { spool } = this.options;
    const timeout = new AbortController();
    const { strictTimeoutMs } = this.#limits;
    const timer = setTimeout(() => timeout.abort(), strictTimeoutMs).unref();
    this.#hurried += 1;
    try {
      const position = await spool.append(events, closing);
      await spool.flush();
      this.#urgent.ring();
      await this.#delivered.reach(position, timeout.signal);
      if (this.#delivered.value < position) throw this.#unacknowledged(strictTimeoutMs);
    } finally {
      this.#hurried -= 1;
      clearTimeout(timer);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort(new PosternError('aborted', 'the delivery of audit events was stopped'));
    await this.#running;
    this.#delivered.close();
  }

  async #run(): Promise<void> {
    await using reader = this.options.spool.reader();
    let batch: readonly AuditRecord[] = [];
    let pauseMs = this.#limits.firstRetryMs;
    while (!this.#stop.signal.aborted) {
      try {
        if (batch.length === 0) batch = await this.#next(reader);
        const last = batch.at(-1);
        if (!last) continue;
        const began = performance.now();
        await this.#send(batch);
        this.#accepted(last.key.sequence);
        const full = batch.length >= this.#limits.batchEvents;
        batch = [];
        pauseMs = this.#limits.firstRetryMs;
        if (!full) await this.#rest(began + this.#limits.intervalMs - performance.now());
      } catch (cause) {
        if (this.#stop.signal.aborted) return;
        this.#health.failed(PosternError.from(cause));
        await this.#pause(pauseMs);
        pauseMs = Math.min(pauseMs * 2, this.#limits.maxRetryMs);
      }
    }
  }

  /** The next batch; none where it was woken for another reason. */
  async #next(reader: SpoolReader): Promise<readonly AuditRecord[]> {
    const { spool } = this.options;
    const before = spool.durable;
    const batch = await reader.read({ events: this.#limits.batchEvents, bytes: this.#limits.batchBytes });
    if (batch.length === 0 && spool.durable === before) await spool.changed.wait(this.#stop.signal);
    return batch;
  }

  #accepted(sequence: number): void {
    this.options.spool.acknowledge(sequence);
    this.#delivered.raise(sequence);
    this.#health.succeeded();
  }

  async #send(batch: readonly AuditRecord[]): Promise<void> {
    const attempt = new AbortController();
    const { attemptTimeoutMs } = this.#limits;
    const expire = (): void => attempt.abort(new PosternError('timeout', `no answer within ${attemptTimeoutMs} ms`));
    const stop = (): void => attempt.abort(this.#stop.signal.reason);
    const timer = setTimeout(expire, attemptTimeoutMs).unref();
    this.#stop.signal.addEventListener('abort', stop, { once: true });
    const cut = new Promise<never>((_, reject) => {
      attempt.signal.addEventListener('abort', () => reject(PosternError.from(attempt.signal.reason)), { once: true });
    });
    try {
      // A sink that ignores its signal must not stop the delivery for ever.
      await Promise.race([this.options.sink.append(batch, attempt.signal), cut]);
    } finally {
      clearTimeout(timer);
      this.#stop.signal.removeEventListener('abort', stop);
    }
  }

  /** Lets events gather: a batch costs the disk as much as a single event. */
  async #rest(ms: number): Promise<void> {
    if (ms <= 0 || this.#hurried > 0) return;
    const wake = new AbortController();
    const timer = setTimeout(() => wake.abort(), ms).unref();
    const onStop = (): void => wake.abort();
    this.#stop.signal.addEventListener('abort', onStop, { once: true });
    await this.#urgent.wait(wake.signal);
    clearTimeout(timer);
    this.#stop.signal.removeEventListener('abort', onStop);
  }

  async #pause(pauseMs: number): Promise<void> {
    const jittered = pauseMs * (0.5 + Math.random() / 2);
    const wake = new AbortController();
    const onStop = (): void => wake.abort();
    this.#stop.signal.addEventListener('abort', onStop, { once: true });
    const waited = (ms: number): Promise<void> =>
      sleep(ms, undefined, { signal: wake.signal, ref: false }).catch(() => undefined);
    await waited(Math.min(leastPauseMs, jittered));
    if (this.#hurried === 0) await Promise.race([waited(jittered - leastPauseMs), this.#urgent.wait(wake.signal)]);
    wake.abort();
    this.#stop.signal.removeEventListener('abort', onStop);
  }

  #unacknowledged(afterMs: number): PosternError {
    const { reason = 'no answer yet' } = this.#health.state();
    return new PosternError('audit_unavailable', `a strict event was not acknowledged within ${afterMs} ms: ${reason}`);
  }
}
