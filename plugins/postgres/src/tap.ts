import { PosternError, type AuditPort, type Hold, type Recording } from '@postern/plugin-sdk';
import { ClientText } from './client-text.js';
import { ClientTap } from './client-tap.js';
import { Journal } from './journal.js';
import { Pipeline, problemOf } from './pipeline.js';
import type { Postgres } from './protocol.js';
import type { StatementLimits } from './statement-log.js';
import { UpstreamTap } from './upstream-tap.js';
import { UpstreamViolation } from './upstream-violation.js';

/** So many answers may be due before the client must wait for the server. */
const maxPending = 16_384;

export interface TapOptions {
  readonly audit: AuditPort<Postgres['audit']>;
  readonly recording: Pick<Recording, 'mark'>;
  readonly limits: StatementLimits;
  /** Aborts when nothing more is forwarded. */
  readonly signal: AbortSignal;
  /** The client's encoding at the beginning; UTF-8 where it is not known. */
  readonly encoding?: string | undefined;
  /** Milliseconds of a steady clock. */
  readonly now?: () => number;
}

/**
 * The audit of one session: follows both directions of a relay, writes what
 * happens to the log and the recording before it can have an effect, and knows
 * where in the server's messages the client is.
 */
export class SessionTap {
  readonly #journal: Journal;
  readonly #pipeline: Pipeline;
  readonly #client: ClientTap;
  readonly #upstream: UpstreamTap;
  /** What the client lacks of a message that was forwarded in part; undefined where nobody can tell. */
  #owed: number | undefined = 0;
  #holding = false;
  #broken = false;
  readonly #signal: AbortSignal;

  constructor({ audit, recording, limits, signal, encoding, now = () => performance.now() }: TapOptions) {
    this.#signal = signal;
    const journal = new Journal(audit, recording);
    const pipeline = new Pipeline({
      report: (result) => journal.write('result', result),
      reportFailure: (error) => journal.write('failure', problemOf(error)),
      namesChanged: (change, order) => this.#client.namesChanged(change, order),
      portalsEnded: (order) => this.#client.portalsEnded(order),
      copyBytes: (direction) => this.#copyBytes(direction),
      now,
    });
    this.#journal = journal;
    this.#pipeline = pipeline;
    const reader = new ClientText();
    if (encoding !== undefined) reader.set(encoding);
    this.#client = new ClientTap(pipeline, journal, limits, reader);
    this.#upstream = new UpstreamTap(pipeline, reader);
  }

  readonly fromClient = (chunk: Buffer): Hold => {
    this.#broken = true;
    this.#client.push(chunk);
    this.#broken = false;
    const hold = this.#journal.take();
    if (this.#pipeline.length <= maxPending) return hold;
    // The server's answers free the way; it cannot owe so many without sending some.
    return Promise.all([hold, this.#pipeline.below(maxPending / 2)]).then(() => {});
  };

  readonly fromUpstream = (chunk: Buffer): Hold => {
    this.#holding = true;
    try {
      this.#upstream.push(chunk);
    } catch (cause) {
      throw new UpstreamViolation(PosternError.from(cause));
    }
    const hold = this.#journal.take();
    if (!hold) return this.#forwarded();
    return hold.then(() => this.#forwarded());
  };

  /**
   * Bytes that the client must still get before a message of ours would make
   * sense to it; undefined where a chunk was withheld in the middle of one.
   */
  get owed(): number | undefined {
    return this.#holding && this.#owed !== 0 ? undefined : this.#owed;
  }

  /** Writes down that what was not answered never will be. */
  async finish(): Promise<void> {
    this.#pipeline.finish();
    await this.#journal.take();
  }

  #forwarded(): void {
    if (this.#broken || this.#signal.aborted) return;
    this.#holding = false;
    this.#owed = this.#upstream.remaining;
  }

  #copyBytes(direction: 'in' | 'out' | 'both'): number {
    const bytes = (direction === 'out' ? 0 : this.#client.counted) + (direction === 'in' ? 0 : this.#upstream.counted);
    this.#client.counted = this.#upstream.counted = 0;
    return bytes;
  }
}
