import { PosternError } from '../errors.js';

/** Waits for `work`, but no longer than `ms` and not past an abort: then rejects with `timeout` or the abort's reason. */
export async function within<T>(work: Promise<T>, ms: number, signal?: AbortSignal): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  let onAbort: (() => void) | undefined;
  const limit = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new PosternError('timeout', `took longer than ${ms} ms`)), ms);
    onAbort = () => reject(new PosternError('aborted', 'the session was told to end', { cause: signal?.reason }));
    if (signal?.aborted) onAbort();
    else signal?.addEventListener('abort', onAbort, { once: true });
  });
  try {
    return await Promise.race([work, limit]);
  } finally {
    clearTimeout(timer);
    if (onAbort) signal?.removeEventListener('abort', onAbort);
    // The loser of the race may still fail; nobody waits for it any more.
    work.catch(() => {});
  }
}

/** Rejects with the abort's reason as `aborted`. */
export function aborted(signal: AbortSignal): { readonly promise: Promise<never>; release(): void } {
  let onAbort = (): void => {};
  const promise = new Promise<never>((_, reject) => {
    onAbort = () => reject(new PosternError('aborted', 'the session was cut', { cause: signal.reason }));
    if (signal.aborted) onAbort();
    else signal.addEventListener('abort', onAbort, { once: true });
  });
  promise.catch(() => {});
  return { promise, release: () => signal.removeEventListener('abort', onAbort) };
}
