import type { Duplex } from 'node:stream';
import { PosternError } from '@postern/plugin-sdk';
import { BodyTracker, HeadCollector } from '@postern/plugin-sdk/http1';
import { readClientRequest, type ClientRequest } from './client-request.js';
import { GateTimer, type GateTimes } from './gate-timer.js';

/** How much of the next requests may lie here while one is answered. */
const maxAhead = 65_536;

type Done = (cause?: Error | null) => void;

/** Takes the body of a request, framed as it was sent. */
export interface BodySink {
  /** False where it can take no more for now; then it calls {@link ClientGate.flow}. */
  push(chunk: Buffer): boolean;
}

/** What happens with the requests. */
export interface GateHandler {
  /** Answers where the body goes; a request that has none needs no place for it. */
  onRequest(request: ClientRequest): BodySink | undefined;
  /** The client's stream is the handler's from now on; `ahead` is what was read of it. */
  onWebSocket(request: ClientRequest, ahead: Buffer): void;
}

export interface GateOptions extends GateTimes {
  readonly maxHeadBytes: number;
}

/**
 * Stands before a client. Everything that it says is read strictly here, one
 * request at a time: the next one is handed out only when the one before it has
 * been answered. Keeps reading meanwhile, since a client that goes away can
 * only be noticed by reading.
 */
export class ClientGate {
  /** The request that is being answered. */
  current: ClientRequest | undefined;
  /** The one before, where none is. */
  last: ClientRequest | undefined;
  /** What the client has sent of its content, and what it was sent for it. */
  bytesIn = 0;
  bytesOut = 0;
  /** Nothing more can come of this connection. */
  ended = false;
  /** Resolves then; rejects with what was wrong with it. */
  readonly over: Promise<void>;
  #settle!: { resolve(): void; reject(cause: unknown): void };
  readonly #timer: GateTimer;
  readonly #collector: HeadCollector;
  #body: BodyTracker | undefined;
  #sink: BodySink | undefined;
  #state: 'head' | 'body' | 'waiting' | 'raw' = 'head';
  #ahead: Buffer[] = [];
  #aheadBytes = 0;
  /** The client has ended its half. */
  #halfClosed = false;
  #silent = false;
  #owed: boolean | undefined;
  #handler: GateHandler | undefined;
  #onFirst: (() => void) | undefined;
  #onTaken: (() => void) | undefined;
  readonly #detach: () => void;

  constructor(
    private readonly client: Duplex,
    options: GateOptions,
  ) {
    this.over = new Promise((resolve, reject) => (this.#settle = { resolve, reject }));
    this.over.catch(() => {});
    this.#collector = new HeadCollector(options.maxHeadBytes);
    this.#timer = new GateTimer(options, (cause) => this.#finish(cause));
    const onData = (chunk: Buffer): void => this.#take(chunk);
    const onEnd = (): void => this.#onEnd();
    const onClose = (): void => this.#finish();
    this.#detach = () => {
      client.off('data', onData).off('end', onEnd).off('close', onClose).off('error', onClose);
      client.pause();
    };
    client.on('data', onData).once('end', onEnd).once('close', onClose).once('error', onClose);
    if (client.destroyed || client.readableEnded) onClose();
  }

  /** Resolves with the first request. Rejects as {@link over} does. */
  async first(): Promise<ClientRequest> {
    if (!this.current) await Promise.race([new Promise<void>((resolve) => (this.#onFirst = resolve)), this.over]);
    if (!this.current) throw new PosternError('aborted', 'the client went away before its first request');
    return this.current;
  }

  /** From now on requests are handed out, the first one at once. */
  start(handler: GateHandler): void {
    this.#handler = handler;
    if (this.current) this.#handOut(this.current);
  }

  /** The response to the current request is over. */
  answered(): void {
    this.current = undefined;
    this.#next();
  }

  /** True where a word of ours would be read as the response that is owed; of the moment in which it ended. */
  get owed(): boolean {
    return this.#owed ?? (this.current !== undefined && this.bytesOut === 0);
  }

  /** Says something to the client. False where it is slow: see {@link drained}. */
  write(chunk: Buffer, done?: Done): boolean {
    if (this.#silent || this.client.destroyed) {
      done?.();
      return true;
    }
    this.bytesOut += chunk.length;
    return this.client.write(chunk, done);
  }

  /** Calls once when a slow client takes more; never where it goes away instead. */
  drained(then: () => void): void {
    this.client.once('drain', then);
  }

  /** Resolves when a slow client has taken what it was sent, or has gone; nothing where it is not slow. */
  taken(): Promise<void> | undefined {
    if (this.ended || !this.client.writableNeedDrain) return undefined;
    return new Promise((resolve) => {
      this.#onTaken = resolve;
      this.client.once('drain', resolve);
    });
  }

  /** The sink can take more of the body. */
  flow(): void {
    if (this.#state !== 'body' || this.ended) return;
    if (this.client.isPaused()) this.#timer.await('body');
    this.client.resume();
  }

  /** Ends the connection. */
  end(): void {
    this.#finish();
  }

  /** Ends the connection for a reason. */
  fail(cause: unknown): void {
    this.#finish(cause);
  }

  /** Nothing that is still said reaches the client. */
  silence(): void {
    this.#silent = true;
    this.#finish();
  }

  #take(chunk: Buffer): void {
    try {
      for (let at = 0; at < chunk.length && !this.ended;) at = this.#step(chunk, at);
    } catch (cause) {
      this.#finish(cause);
    }
  }

  #step(chunk: Buffer, at: number): number {
    if (this.#state === 'head') return this.#inHead(chunk, at);
    if (this.#state === 'body' && this.#body) return this.#inBody(this.#body, chunk, at);
    this.#aheadBytes += chunk.length - at;
    this.#ahead.push(chunk.subarray(at));
    if (this.#aheadBytes >= maxAhead) this.client.pause();
    return chunk.length;
  }

  #inHead(chunk: Buffer, at: number): number {
    const begins = this.#collector.empty;
    const found = this.#collector.take(chunk, at);
    if (!found) {
      if (begins) this.#timer.await('head');
      return chunk.length;
    }
    this.#timer.stop();
    this.last = this.current = readClientRequest(found.head);
    this.bytesIn = this.bytesOut = 0;
    this.#body = new BodyTracker(this.current.framing, { trailers: true });
    this.#state = 'waiting';
    this.#onFirst?.();
    // Whoever is not let in is not read any further; the rest lies ahead.
    if (this.#handler) this.#handOut(this.current);
    return found.end;
  }

  #handOut(request: ClientRequest): void {
    if (request.websocket) {
      this.#state = 'raw';
      this.#detach();
      // What follows in this chunk is put ahead first.
      queueMicrotask(() => this.#handler?.onWebSocket(request, this.#takeAhead()));
      return;
    }
    this.#sink = this.#handler?.onRequest(request);
    if (this.#body?.done === true) return;
    this.#state = 'body';
    this.#timer.await('body');
    this.#replay();
  }

  #inBody(body: BodyTracker, chunk: Buffer, at: number): number {
    const end = body.take(chunk, at);
    this.bytesIn = body.bytes;
    const more = this.#sink?.push(chunk.subarray(at, end));
    if (body.done) {
      this.#timer.stop();
      this.#state = 'waiting';
      this.#next();
    } else if (more !== false) this.#timer.await('body');
    else {
      this.#timer.stop();
      this.client.pause();
    }
    return end;
  }

  #next(): void {
    if (this.current || this.#state !== 'waiting' || this.ended) return;
    this.#state = 'head';
    this.#body = undefined;
    this.#timer.await('idle');
    this.#replay();
    if (this.#halfClosed && this.#state === 'head') this.#finish();
  }

  /** What was read ahead is looked at as if it came now. */
  #replay(): void {
    if (this.#aheadBytes > 0) this.#take(this.#takeAhead());
    if (this.#aheadBytes < maxAhead && !this.ended && this.client.isPaused()) this.client.resume();
    if (this.#halfClosed && this.#state === 'body') this.#finish();
  }

  #takeAhead(): Buffer {
    const ahead = Buffer.concat(this.#ahead);
    this.#ahead = [];
    this.#aheadBytes = 0;
    return ahead;
  }

  /** A client may end its half and still wait for an answer, though not for long: most have simply gone. */
  #onEnd(): void {
    this.#halfClosed = true;
    if (this.#state !== 'waiting' || !this.current) return this.#finish();
    this.#timer.await('answer');
  }

  #finish(cause?: unknown): void {
    if (this.ended) return;
    this.#owed = (cause !== undefined && this.#state === 'head') || this.owed;
    this.ended = true;
    this.#timer.stop();
    if (this.#state !== 'raw') this.#detach();
    this.#onTaken?.();
    if (cause === undefined) this.#settle.resolve();
    else this.#settle.reject(cause);
  }
}
