import { PosternError, type Hold } from '@postern/plugin-sdk';
import type { AuditEmitter, AuditStrength, EventDraft } from '../audit/index.js';
import type { EventPort } from '../sessions/index.js';

/** For how long after an event could not be recorded the process says that it is not ready. */
const memoryMs = 30_000;

/**
 * Where the process reports what happened, and remembers when that failed: a
 * disk that is full refuses event after event and is no failure for good, and
 * whoever watches the process wants to know.
 */
export class EventGate implements EventPort {
  #failed: { readonly at: number; readonly reason: string } | undefined;

  constructor(
    private readonly emitter: Pick<AuditEmitter, 'emit'>,
    private readonly now: () => Date,
  ) {}

  emit(draft: EventDraft, strength?: AuditStrength): Hold {
    try {
      const hold = this.emitter.emit(draft, strength);
      if (!(hold instanceof Promise)) {
        this.#failed = undefined;
        return undefined;
      }
      return hold.then(
        () => void (this.#failed = undefined),
        (cause: unknown) => this.#note(cause),
      );
    } catch (cause) {
      this.#note(cause);
    }
  }

  /** Not ready where the last event could not be recorded, and that is not long ago. */
  get state(): { readonly ready: boolean; readonly reason?: string } {
    const { at, reason } = this.#failed ?? {};
    if (at === undefined || reason === undefined || this.now().getTime() - at > memoryMs) return { ready: true };
    return { ready: false, reason };
  }

  #note(cause: unknown): never {
    const { code, message } = PosternError.from(cause);
    // An event that was not a proper one says nothing about the log.
    if (code === 'audit_unavailable') this.#failed = { at: this.now().getTime(), reason: message };
    throw cause;
  }
}
