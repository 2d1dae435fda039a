import type { AuditPort, Hold, Recording } from '@postern/plugin-sdk';
import type { z } from 'zod';
import type { Https } from './protocol.js';

/** What is told of a request. */
export type RequestFields = z.input<Https['audit']['request']['fields']>;

/** How a request ended: an entry of the recording. */
export interface Completion {
  readonly connection: number;
  readonly sequence: number;
  /** Absent where no answer had begun. */
  readonly status?: number;
  /** Content from the client, and everything that was sent to it. */
  readonly bytesIn: number;
  readonly bytesOut: number;
  readonly durationMs: number;
  readonly type?: string;
  /** False where somebody went away in the middle. */
  readonly complete: boolean;
}

/** The audit log and the recording that the session's connections share. */
export class Journal {
  constructor(
    private readonly audit: AuditPort<Https['audit']>,
    private readonly recording: Pick<Recording, 'mark'>,
  ) {}

  /** Nothing where the request may be forwarded at once, else a promise of that moment. */
  request(fields: RequestFields): Hold {
    const told = this.audit.emit('request', fields);
    return told ? told.then(() => this.recording.mark('request', fields)) : this.recording.mark('request', fields);
  }

  completed(completion: Completion): Hold {
    return this.recording.mark('response', { ...completion });
  }
}
