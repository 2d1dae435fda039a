import type { Denial } from '@postern/plugin-sdk';

/**
 * The signals by which an agent ends all of its sessions, and a session all of
 * its connections. Each gets one of its own: there are thousands, and so many
 * listeners on one signal would look like a leak.
 */
export class StopSignals {
  readonly #controllers = new Set<AbortController>();
  #reason: Denial | undefined;

  /** Why everything ends, once it does. */
  get reason(): Denial | undefined {
    return this.#reason;
  }

  /** A signal that lives until it is released. Aborted from the start where the agent stops already. */
  open(): { readonly signal: AbortSignal; release(): void } {
    const controller = new AbortController();
    if (this.#reason) controller.abort(this.#reason);
    else this.#controllers.add(controller);
    return { signal: controller.signal, release: () => void this.#controllers.delete(controller) };
  }

  /** Aborts every signal that is open, and those that are opened later. */
  abort(reason: Denial): void {
    this.#reason ??= reason;
    for (const controller of this.#controllers) controller.abort(this.#reason);
    this.#controllers.clear();
  }
}
