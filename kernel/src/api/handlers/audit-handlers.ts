import type { AuditLog } from '../../audit/index.js';
import { getCheckpoint } from '../contract/index.js';
import { implement, type Handler } from '../handler.js';

export interface AuditHandlersOptions {
  readonly log: AuditLog;
  /** The text form of the key that verifies the log's checkpoints. */
  readonly verifier: string;
}

export function auditHandlers({ log, verifier }: AuditHandlersOptions): readonly Handler[] {
  return [implement(getCheckpoint, async () => ({ checkpoint: (await log.checkpoint()).toString('utf8'), verifier }))];
}
