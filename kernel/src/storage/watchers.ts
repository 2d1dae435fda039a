interface Watcher {
  readonly prefix: string;
  /** The watcher has everything up to here. */
  cursor: number;
  readonly wake: () => void;
}

/**
 * Those who have read the whole feed and wait for more. It holds a cursor for
 * each and no changes: whoever wakes reads the feed itself.
 */
export class Watchers {
  readonly #waiting = new Set<Watcher>();

  /**
   * Resolves when a key under the prefix has changed after `revision`, when the
   * signal aborts, and at {@link wakeAll}: with the revision to read on from, to
   * which commits that did not concern the prefix have moved it.
   */
  async wait(prefix: string, revision: number, signal: AbortSignal): Promise<number> {
    if (signal.aborted) return revision;
    return new Promise((resolve) => {
      const wake = (): void => {
        this.#waiting.delete(watcher);
        signal.removeEventListener('abort', wake);
        resolve(watcher.cursor);
      };
      const watcher: Watcher = { prefix, cursor: revision, wake };
      this.#waiting.add(watcher);
      signal.addEventListener('abort', wake);
    });
  }

  /** The feed now reaches up to `revision`, and these keys are what changed since the last call. */
  changed(keys: readonly string[], revision: number): void {
    for (const watcher of this.#waiting) {
      if (keys.some((key) => key.startsWith(watcher.prefix))) watcher.wake();
      else watcher.cursor = revision;
    }
  }

  wakeAll(): void {
    for (const watcher of this.#waiting) watcher.wake();
  }
}
