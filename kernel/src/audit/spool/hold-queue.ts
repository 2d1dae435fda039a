import { PosternError } from '@postern/plugin-sdk';

interface Held<T> {
  readonly item: T;
  readonly resolve: (position: number) => void;
  readonly reject: (error: Error) => void;
  readonly timer: NodeJS.Timeout;
}

/** Callers that wait for room in a full queue, first come, first served. */
export class HoldQueue<T> {
  readonly #held = new Set<Held<T>>();

  constructor(private readonly options: { readonly limit: number; readonly timeoutMs: number }) {}

  get size(): number {
    return this.#held.size;
  }

  /**
   * Resolves with what `drain`'s writer returned. Rejects with
   * `audit_unavailable` where nothing made room in time, and throws it at once
   * where too many are waiting.
   */
  add(item: T): Promise<number> {
    const { limit, timeoutMs } = this.options;
    if (this.#held.size >= limit)
      throw new PosternError('audit_unavailable', `the audit queue is full and ${limit} events are waiting for it`);
    return new Promise((resolve, reject) => {
      const expire = (): void => {
        this.#held.delete(held);
        reject(new PosternError('audit_unavailable', `the audit queue was full for ${timeoutMs} ms`));
      };
      const held: Held<T> = { item, resolve, reject, timer: setTimeout(expire, timeoutMs).unref() };
      this.#held.add(held);
    });
  }

  /** Lets the longest-waiting go on while `write` takes them; it returns undefined for one that does not fit yet. */
  drain(write: (item: T) => number | undefined): void {
    for (const held of this.#held) {
      try {
        const position = write(held.item);
        if (position === undefined) return;
        this.#remove(held).resolve(position);
      } catch (cause) {
        this.#remove(held).reject(PosternError.from(cause));
      }
    }
  }

  /** Turns everybody away. */
  rejectAll(error: PosternError): void {
    for (const held of this.#held) this.#remove(held).reject(error);
  }

  #remove(held: Held<T>): Held<T> {
    clearTimeout(held.timer);
    this.#held.delete(held);
    return held;
  }
}
