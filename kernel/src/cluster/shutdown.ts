import { PosternError, type Logger } from '@postern/plugin-sdk';

/** What a process has opened, to be closed in reverse: what came later may use what came before. */
export class Shutdown implements AsyncDisposable {
  readonly #open: { readonly name: string; readonly close: () => PromiseLike<void> | void }[] = [];

  constructor(private readonly log: Logger) {}

  /** Keeps a resource until the end, and returns it. */
  keep<T extends AsyncDisposable>(name: string, resource: T): T {
    this.after(name, () => resource[Symbol.asyncDispose]());
    return resource;
  }

  after(name: string, close: () => PromiseLike<void> | void): void {
    this.#open.push({ name, close });
  }

  /** Closes everything, also where something cannot be closed. */
  async [Symbol.asyncDispose](): Promise<void> {
    for (const { name, close } of this.#open.splice(0).reverse()) {
      try {
        await close();
      } catch (cause) {
        this.log.error(`${name} could not be closed`, { cause: PosternError.from(cause).message });
      }
    }
  }
}
