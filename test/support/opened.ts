/** What a test has opened, and closes again: the last one first. */
export class Opened implements AsyncDisposable {
  readonly #closing: (() => unknown)[] = [];

  /** Disposes of it at the end. */
  keep<T extends AsyncDisposable>(one: T): T {
    this.defer(() => one[Symbol.asyncDispose]());
    return one;
  }

  /** Called at the end, and waited for. */
  defer(close: () => unknown): void {
    this.#closing.push(close);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const close of this.#closing.splice(0).reverse()) await close();
  }
}

/** Starts what was made, and disposes of what there is of it where that fails. */
export async function startOrDispose<T extends AsyncDisposable>(made: T, start: () => Promise<unknown>): Promise<T> {
  try {
    await start();
    return made;
  } catch (cause) {
    await made[Symbol.asyncDispose]();
    throw cause;
  }
}
