import type { AuditPort, Hold, Recording } from '@postern/plugin-sdk';
import type { z } from 'zod';
import type { Postgres } from './protocol.js';

type Events = Postgres['audit'];
export type EventName = keyof Events;
export type EventFields<N extends EventName> = z.input<Events[N]['fields']>;

/**
 * Where the taps write what they saw: to the audit log what its limits allow,
 * to the recording everything. Collects what either of them wants waited for.
 */
export class Journal {
  #sequence = 0;
  #holds: Promise<void>[] = [];

  constructor(
    private readonly audit: AuditPort<Events>,
    private readonly recording: Pick<Recording, 'mark'>,
  ) {}

  /** The number of the next statement. */
  next(): number {
    return ++this.#sequence;
  }

  /** `recorded` is the whole of what `fields` show in part. */
  write<N extends EventName>(
    name: N,
    fields: EventFields<N>,
    recorded: Readonly<Record<string, unknown>> = fields,
  ): void {
    this.#hold(this.audit.emit(name, fields));
    this.#hold(this.recording.mark(name, recorded));
  }

  /** A piece of something too long for one line of the recording. */
  part(fields: Readonly<Record<string, unknown>>): void {
    this.#hold(this.recording.mark('part', fields));
  }

  /** What must settle before that which was written since the last call may have an effect. */
  take(): Hold {
    if (this.#holds.length === 0) return undefined;
    const holds = this.#holds;
    this.#holds = [];
    return Promise.all(holds).then(() => {});
  }

  #hold(hold: Hold): void {
    if (!hold) return;
    // Should a later write throw, nobody comes to wait for this one.
    hold.catch(() => {});
    this.#holds.push(hold);
  }
}
