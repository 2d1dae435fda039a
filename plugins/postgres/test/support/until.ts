import { setTimeout as sleep } from 'node:timers/promises';

/** Waits until something is so; rejects where it is not in time. */
export async function until(done: () => boolean | Promise<boolean>, ms = 10_000): Promise<void> {
  for (const end = Date.now() + ms; !(await done()); await sleep(10))
    if (Date.now() > end) throw new Error(`not within ${ms} ms: ${String(done)}`);
}
