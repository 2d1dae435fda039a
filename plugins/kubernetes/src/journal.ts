import type { AuditPort, Hold, Recording } from '@postern/plugin-sdk';
import type { z } from 'zod';
import type { Kubernetes } from './protocol.js';

type Events = Kubernetes['audit'];
type EventFields<N extends keyof Events> = z.input<Events[N]['fields']>;

/** Where both taps write what they saw: into the audit log, and into the recording that the session's connections share. */
export class Journal {
  constructor(
    private readonly audit: AuditPort<Events>,
    private readonly recording: Pick<Recording, 'mark'>,
  ) {}

  /** Settles when what was seen may have its effect. */
  write<N extends keyof Events>(name: N, fields: EventFields<N>): Hold {
    return both(this.audit.emit(name, fields), this.recording.mark(name, fields));
  }
}

/** Waits for what must be waited for. */
export function both(one: Hold, other: Hold): Hold {
  if (!one) return other;
  if (!other) return one;
  return Promise.all([one, other]).then(() => {});
}
