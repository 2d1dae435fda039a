import type { AuditPort, EventCatalog, Hold } from '@postern/plugin-sdk';
import type { Delivery } from './delivery.js';
import type { EventSealer } from './event-sealer.js';
import type { EventDraft } from './event.js';
import type { Spool } from './spool/index.js';

/**
 * `spool`: the event is in the local queue, which survives the death of the
 * process. `strict`: the Auth Service has acknowledged it as durable.
 */
export type AuditStrength = 'spool' | 'strict';

/** What the events of one session have in common. */
export type EventScope = Omit<EventDraft, 'type' | 'fields'>;

/** Where the kernel's services and the session host report what happened, before they let it happen. */
export class AuditEmitter {
  constructor(
    private readonly options: { readonly sealer: EventSealer; readonly spool: Spool; readonly delivery: Delivery },
  ) {}

  /**
   * Records an event at a strength. At `spool` it returns nothing once the
   * event is written, and a promise only while the queue is full. Throws or
   * rejects where it could not be recorded: with `audit_unavailable`, with
   * `limit_exceeded` for an event that is too long, and with `invalid_argument`
   * for one that the catalogue does not know. The effect must not follow then.
   */
  emit(draft: EventDraft, strength: AuditStrength = 'spool'): Hold {
    const { sealer, spool, delivery } = this.options;
    const events = sealer.seal(draft);
    // What ends a session, and what says that the queue is in trouble, must still fit when nothing else does.
    const closing = draft.type === 'session.end' || draft.type.startsWith('audit.');
    if (strength === 'strict') return delivery.strict(events, closing);
    const position = spool.append(events, closing);
    return typeof position === 'number' ? undefined : position.then(() => undefined);
  }

  /** The port of one session of one protocol: its events, under the protocol's name, with the session's envelope. */
  port<Events extends EventCatalog>(protocol: string, scope: EventScope, strength: AuditStrength): AuditPort<Events> {
    return {
      emit: (name, fields) => this.emit({ ...scope, type: `${protocol}.${name}`, fields }, strength),
    };
  }
}
