/** How often the time is looked at: a certificate ends without anybody changing anything. */
const tickMs = 500;

export interface StandingOptions {
  /** Rejects as soon as the call would be refused. */
  readonly check: () => Promise<void>;
  /** Calls the listener after every change of what decisions rest on, until the returned function is called. */
  readonly onChange: (listener: () => void) => () => void;
  /** Aborts when the caller goes away. */
  readonly gone: AbortSignal;
}

/**
 * A call that goes on for a while, and the right to it: the signal aborts when
 * the caller goes away, and when the call would be refused if it were made now,
 * with the refusal as its reason.
 */
export class Standing implements Disposable {
  readonly signal: AbortSignal;
  readonly #refused = new AbortController();
  readonly #off: () => void;
  readonly #timer: NodeJS.Timeout;

  constructor(private readonly options: StandingOptions) {
    this.signal = AbortSignal.any([options.gone, this.#refused.signal]);
    this.#off = options.onChange(() => this.#look());
    this.#timer = setInterval(() => this.#look(), tickMs).unref();
  }

  [Symbol.dispose](): void {
    this.#off();
    clearInterval(this.#timer);
  }

  #look(): void {
    this.options.check().catch((cause: unknown) => {
      this[Symbol.dispose]();
      this.#refused.abort(cause);
    });
  }
}
