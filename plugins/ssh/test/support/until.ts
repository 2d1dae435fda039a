import { setTimeout as sleep } from 'node:timers/promises';

/** Polls until the condition holds; fails with its name after some seconds. */
export async function until(what: string, condition: () => boolean | Promise<boolean>, ms = 15_000): Promise<void> {
  const deadline = Date.now() + ms;
  while (!(await condition())) {
    if (Date.now() > deadline) throw new Error(`${what} did not come true within ${ms} ms`);
    await sleep(10);
  }
}
