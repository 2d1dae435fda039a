import type { Duplex } from 'node:stream';
import { PosternError } from '@postern/plugin-sdk';
import { UpstreamConnection } from './upstream-connection.js';

/** Applications close what is idle for long, and may do so at the moment in which they are asked. */
const recentlyMs = 1000;

/**
 * Which connection a request can do with: `any`, since it may be repeated;
 * `recent`, one that has just been used, or a new one; `new`, as one that will
 * be kept.
 */
export type Wanted = 'any' | 'recent' | 'new';

/**
 * Connections of one client to the application, made by the session's grant and
 * used again one after the other. At most one is idle.
 */
export class UpstreamConnections {
  readonly #open = new Set<Duplex>();
  #idle: UpstreamConnection | undefined;
  #over = false;

  constructor(
    private readonly connect: () => Promise<Duplex>,
    private readonly now: () => number = () => performance.now(),
  ) {}

  /** The idle connection, at once, or a new one. */
  take(wanted: Wanted): UpstreamConnection | Promise<UpstreamConnection> {
    const idle = this.#idle;
    this.#idle = undefined;
    if (idle && !idle.lost) {
      if (wanted === 'any' || (wanted === 'recent' && this.now() - idle.idleSince < recentlyMs)) return idle;
      idle.stream.destroy();
    }
    return this.#connect();
  }

  /** A connection on which everything was said: the next request may have it. */
  release(connection: UpstreamConnection): void {
    connection.receive(undefined);
    if (this.#over || this.#idle || connection.lost) return void connection.stream.destroy();
    connection.used = true;
    connection.idleSince = this.now();
    this.#idle = connection;
    // Whoever had it may have stopped reading; an end must be noticed.
    if (connection.stream.isPaused()) connection.stream.resume();
  }

  /** Closes all, whoever has them. */
  destroy(): void {
    this.#over = true;
    for (const stream of this.#open) stream.destroy();
  }

  async #connect(): Promise<UpstreamConnection> {
    if (this.#over) throw new PosternError('aborted', 'the session is over');
    const stream = await this.connect();
    this.#open.add(stream);
    stream.once('close', () => this.#open.delete(stream));
    if (this.#over) {
      stream.destroy();
      throw new PosternError('aborted', 'the session is over');
    }
    return new UpstreamConnection(stream);
  }
}
