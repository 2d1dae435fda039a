import type { EventEmitter } from 'node:events';

const crashes = ['uncaughtException', 'unhandledRejection'];

/**
 * Runs a check, and fails it for every error that would have ended the process
 * meanwhile. The runner's own listeners step aside, so that it is this check
 * that fails, with a word about why.
 */
export async function trapped(check: () => Promise<void>): Promise<void> {
  const emitter = process as EventEmitter;
  const caught: unknown[] = [];
  const onCrash = (cause: unknown): void => void caught.push(cause);
  const aside = crashes.map((name) => ({ name, listeners: emitter.listeners(name) as ((cause: unknown) => void)[] }));
  for (const { name, listeners } of aside) {
    for (const listener of listeners) emitter.off(name, listener);
    emitter.on(name, onCrash);
  }
  try {
    await check();
    // Rejections are found unhandled only after the microtasks of this turn.
    await new Promise((resolve) => setImmediate(resolve));
  } finally {
    for (const { name, listeners } of aside) {
      emitter.off(name, onCrash);
      for (const listener of listeners) emitter.on(name, listener);
    }
  }
  if (caught.length === 0) return;
  const message = `nobody handled ${caught.length} error(s): ${caught.map(String).join('; ')}`;
  throw new AggregateError(caught, message, { cause: caught[0] });
}
