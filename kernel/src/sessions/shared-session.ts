import type { AdmittedSession } from './admitted-session.js';
import type { Begin, Seat } from './seats.js';

export interface SharedSessionOptions {
  /** How long the session waits for a connection when it has none. */
  readonly idleMs: number;
  /** Called when nobody may enter any more; the end may still be on its way to the log. */
  gone(): void;
  failed(cause: unknown): void;
}

/** A session that outlives its connections, until none has been there for a time. */
export class SharedSession {
  readonly #session: Promise<AdmittedSession>;
  #connections = 0;
  #timer: NodeJS.Timeout | undefined;
  #ending: Promise<void> | undefined;

  constructor(
    begin: Begin,
    private readonly options: SharedSessionOptions,
  ) {
    this.#session = begin(() => this.#wasCut());
  }

  /** Rejects where the session could not begin. */
  async enter(): Promise<Seat> {
    this.#connections++;
    clearTimeout(this.#timer);
    try {
      return { session: await this.#session, leave: () => this.#leave() };
    } catch (cause) {
      this.options.gone();
      throw cause;
    }
  }

  /** Ends it. Idempotent. Resolves once the end is recorded. */
  end(): Promise<void> {
    clearTimeout(this.#timer);
    this.options.gone();
    return (this.#ending ??= this.#end());
  }

  async #leave(): Promise<void> {
    this.#connections--;
    const { cutBy } = await this.#session;
    if (this.#connections > 0) return;
    if (cutBy) return this.end();
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#endAlone(), this.options.idleMs).unref();
  }

  #wasCut(): void {
    this.options.gone();
    if (this.#connections === 0) this.#endAlone();
  }

  #endAlone(): void {
    this.end().catch((cause: unknown) => this.options.failed(cause));
  }

  async #end(): Promise<void> {
    const session = await this.#session;
    const { cutBy } = session;
    await session.end(cutBy ? { kind: 'cut', denial: cutBy } : { kind: 'ended' });
  }
}
