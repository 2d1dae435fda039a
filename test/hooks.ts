import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';

/** Sockets, servers, child processes and watchers that are open right now. */
const open = (): string[] =>
  process
    .getActiveResourcesInfo()
    .filter((name) => /TCP|TLS|UDP|Process|FSEvent/.test(name))
    .sort();

let before: string[] = [];

/** Fails the test that leaves something open, by name, instead of letting the whole run hang at its end. */
export const mochaHooks = {
  beforeEach(): void {
    before = open();
  },
  async afterEach(this: Mocha.Context): Promise<void> {
    // What a test that failed leaves is no news, and to fail here as well would end the whole run.
    if (this.currentTest?.isPassed() !== true) return;
    for (let wait = 1; wait < 4000 && open().length > before.length; wait *= 2) await sleep(wait);
    const after = open();
    if (after.length > before.length) assert.deepEqual(after, before, 'this test left something open');
  },
};
