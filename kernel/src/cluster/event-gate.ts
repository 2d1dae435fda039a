import { PosternError, type Hold } from '@postern/plugin-sdk';
import type { AuditEmitter, AuditStrength, EventDraft } from '../audit/index.js';
import type { EventPort } from '../sessions/index.js';

/** For how long after an event could not be recorded the process says that it is not ready. */
const memoryMs = 30_000;

/** How many ends of sessions are kept until they can be recorded; more sessions than that had no room to run in. */
const mostOwed = 50_000;

/**
 * Where the process reports what happened, and remembers when that failed: a
 * disk that is full refuses event after event and is no failure for good, and
 * whoever watches the process wants to know. What has a start has an end: one
 * that could not be recorded is, as soon as anything can be.
 */
export class EventGate implements EventPort {
  #failed: { readonly at: number; readonly reason: string } | undefined;

  #owed: EventDraft[] = [];
  readonly #counts = new Map<string, number>();

  constructor(
    private readonly emitter: Pick<AuditEmitter, 'emit'>,
    private readonly now: () => Date,
  ) {}

  emit(draft: EventDraft, strength?: AuditStrength): Hold {
    try {
      const hold = this.emitter.emit(draft, strength);
      if (!(hold instanceof Promise)) {
        this.#recorded(draft);
        return undefined;
      }
      return hold.then(
        () => this.#recorded(draft),
        (cause: unknown) => this.#note(cause, draft, strength),
      );
    } catch (cause) {
      this.#note(cause, draft, strength);
    }
  }

  /** Records the ends of sessions that are owed, as far as that can be done now. */
  settle(): void {
    const owed = this.#owed;
    this.#owed = [];
    for (const [index, draft] of owed.entries()) {
      try {
        const hold = this.emitter.emit(draft);
        if (hold instanceof Promise) hold.catch(() => this.#owe(draft));
      } catch {
        // There is no room for the others either.
        for (const left of owed.slice(index)) this.#owe(left);
        return;
      }
    }
  }

  /** Not ready where the last event could not be recorded, and that is not long ago. */
  get state(): { readonly ready: boolean; readonly reason?: string } {
    const { at, reason } = this.#failed ?? {};
    if (at === undefined || reason === undefined || this.now().getTime() - at > memoryMs) return { ready: true };
    return { ready: false, reason };
  }

  /** How many events of each type were recorded since the process began. */
  get counts(): ReadonlyMap<string, number> {
    return this.#counts;
  }

  #recorded({ type }: EventDraft): void {
    this.#counts.set(type, (this.#counts.get(type) ?? 0) + 1);
    this.#failed = undefined;
    if (this.#owed.length > 0) this.settle();
  }

  #owe(draft: EventDraft): void {
    if (this.#owed.length < mostOwed) this.#owed.push(draft);
  }

  #note(cause: unknown, draft: EventDraft, strength?: AuditStrength): never {
    const { code, message } = PosternError.from(cause);
    // An event that was not a proper one says nothing about the log.
    if (code === 'audit_unavailable') {
      this.#failed = { at: this.now().getTime(), reason: message };
      // A strict one that was not acknowledged may be in the queue all the same, and must not be there twice.
      if (draft.type === 'session.end' && strength !== 'strict') this.#owe(draft);
    }
    throw cause;
  }
}
