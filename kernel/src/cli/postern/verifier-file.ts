import { join } from 'node:path';

/** Where a process leaves the keys that verify its audit log: one a line, the newest last. */
export const verifierFile = (data: string): string => join(data, 'audit', 'verifier-keys');
