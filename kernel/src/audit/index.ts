export { eventIds } from './event-id.js';
export { Catalog, type EventSource } from './catalog.js';
export { renderCatalog } from './catalog-markdown.js';
export { Delivery, type DeliveryLimits, type DeliveryOptions } from './delivery.js';
export { type DeliveryState, type Loss } from './delivery-health.js';
export { AuditEmitter, type AuditStrength, type EventScope } from './emitter.js';
export { EventSealer, type SealedEvent } from './event-sealer.js';
export {
  auditEvent,
  eventLine,
  maxLineBytes,
  parseRecord,
  type AuditEvent,
  type AuditRecord,
  type EventDraft,
} from './event.js';
export { kernelEvents } from './events/index.js';
export { AuditLog, logOrigin, type LogLimits, type LogOptions } from './log/index.js';
export { type AuditSink } from './sink.js';
export { Spool, type SpoolLimits, type SpoolOptions } from './spool/index.js';
export {
  extendsTree,
  formatVerifierKey,
  includes,
  leafHash,
  noteVerifier,
  openCheckpoint,
  parseVerifierKey,
  proveConsistency,
  proveInclusion,
  tileSource,
  type Checkpoint,
  type NoteSigner,
  type NoteVerifier,
} from './tlog/index.js';
export { AuditTrail, type TrailOptions } from './trail.js';
export { AuditReader, type EventFilter, type EventPage, type EventQuery, type FoundEvent } from './query/index.js';
export { joinReports, verifyLog, type Problem, type VerifyOptions, type VerifyReport } from './verify/index.js';
