/** The time as it is, until a test moves it. */
export class TestClock {
  #offsetMs = 0;

  readonly now = (): Date => new Date(Date.now() + this.#offsetMs);

  /** Forwards, or backwards where negative. */
  advance(ms: number): void {
    this.#offsetMs += ms;
  }
}
