/** Keeps what a start has opened so far, and lets it go in the opposite order; Node 20 has no such class. */
export class Resources implements AsyncDisposable {
  #releases: (() => Promise<void>)[] = [];

  use<T extends AsyncDisposable>(resource: T): T {
    this.defer(() => Promise.resolve(resource[Symbol.asyncDispose]()));
    return resource;
  }

  defer(release: () => Promise<void>): void {
    this.#releases.push(release);
  }

  /** Hands everything over to another keeper; this one holds nothing any more. */
  move(): Resources {
    const moved = new Resources();
    moved.#releases = this.#releases;
    this.#releases = [];
    return moved;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const release of this.#releases.splice(0).reverse()) await release();
  }
}
