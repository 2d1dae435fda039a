export { type EventFilter } from './filter.js';
export { AuditReader, type EventPage, type EventQuery, type FoundEvent, type ReaderOptions } from './reader.js';
export { type LiveLog } from './scan.js';
