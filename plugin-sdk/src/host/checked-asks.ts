/** More different asks than the sessions of people have; whoever has more is decided again. */
const most = 1000;

/** The asks of one session that were granted since something last changed. */
export class CheckedAsks {
  readonly #granted = new Set<string>();
  #revision: number | undefined;

  has(ask: string, revision: number): boolean {
    return this.#revision === revision && this.#granted.has(ask);
  }

  /** `revision` is that from before the decision: a change in its middle must not be missed. */
  add(ask: string, revision: number): void {
    if (this.#revision !== revision || this.#granted.size >= most) this.#granted.clear();
    this.#revision = revision;
    this.#granted.add(ask);
  }
}
