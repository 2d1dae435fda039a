export { type BatchLimit, type SpoolReader } from './spool-reader.js';
export { Spool, type SpoolLimits, type SpoolOptions } from './spool.js';
