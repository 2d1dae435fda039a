export { entriesPerFile, journalFiles, journalPath, readJournal, readJournalFile } from './journal-files.js';
export { eventIn } from './id-lookup.js';
export { AuditLog, logOrigin, type LogLimits, type LogOptions } from './log.js';
export { type JournalEnd } from './journal.js';
