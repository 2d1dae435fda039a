/**
 * Allows each key so many events in a window of time. Bounded: where more than
 * `maxKeys` keys ask in one window, the ones that are new are told no.
 */
export class RateLimit {
  readonly #counts = new Map<string, number>();
  #began = 0;

  constructor(
    private readonly limit: number,
    private readonly windowMs: number,
    private readonly now: () => Date,
    private readonly maxKeys = 10_000,
  ) {}

  /** Counts one event. False when it is one too many. */
  take(key: string): boolean {
    const now = this.now().getTime();
    if (now - this.#began >= this.windowMs || now < this.#began) {
      this.#counts.clear();
      this.#began = now;
    }
    const count = (this.#counts.get(key) ?? 0) + 1;
    if (count > this.limit || (count === 1 && this.#counts.size >= this.maxKeys)) return false;
    this.#counts.set(key, count);
    return true;
  }
}
