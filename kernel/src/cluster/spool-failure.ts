import type { PosternError } from '@postern/plugin-sdk';
import type { Spool } from '../audit/index.js';

/** Resolves when a spool has failed for good, with its reason, or with nothing once the signal aborts. */
export async function spoolFailure(
  spool: Pick<Spool, 'failure' | 'changed'>,
  signal: AbortSignal,
): Promise<PosternError | undefined> {
  while (!signal.aborted) {
    const { failure } = spool;
    if (failure) return failure;
    await spool.changed.wait(signal);
  }
  return undefined;
}
