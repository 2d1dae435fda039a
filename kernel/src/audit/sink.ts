import type { AuditRecord } from './event.js';

/**
 * Where an instance's events go: the log itself in the Auth Service, and its
 * API in an agent. `append` takes events of one or several streams, each in the
 * order of its sequence, and resolves only once all of them are durable. It is
 * idempotent by event id: what is stored already is acknowledged and not stored
 * again, so a caller that got no answer sends the same events again. It rejects
 * with `conflict`, and stores nothing of the call, where a stream's number
 * belongs to another event.
 */
export interface AuditSink {
  append(records: readonly AuditRecord[], signal?: AbortSignal): Promise<void>;
}
