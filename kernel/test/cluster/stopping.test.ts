import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { AuditReader, type AuditEvent } from '../../src/audit/index.js';
import { inTime, LineProcess } from './line-process.js';
import { heard } from './line-world.js';

describe('a process that is told to stop', function () {
  this.timeout(60_000);
  let directory: string;

  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), 'postern-stop-'));
  });
  afterEach(() => rm(directory, { recursive: true, force: true }));

  const events = async (): Promise<readonly AuditEvent[]> => {
    const reader = new AuditReader({ directory: join(directory, 'data', 'audit', 'log') });
    const { events } = await reader.find({ order: 'oldest', limit: 1000 });
    return events.map(({ event }) => event);
  };

  for (const signal of ['SIGTERM', 'SIGINT'] as const)
    it(`ends its sessions with a word and writes everything down at ${signal}`, async () => {
      await using running = await LineProcess.start({ directory });
      await running.fill();
      const login = await running.login();
      const clients = await Promise.all([1, 2, 3].map(() => running.session(login)));
      for (const client of clients) assert.equal(await client.ask('say here'), 'ok here');
      running.signal(signal);
      for (const client of clients)
        assert.deepEqual(await inTime('the end', heard(client)), [
          'no unavailable the agent is shutting down; connect again',
        ]);
      assert.deepEqual(await inTime('the exit', running.exit), { code: 0, signal: null }, running.stderr);
      const found = await events();
      const ends = found.filter(({ type }) => type === 'session.end');
      assert.equal(new Set(ends.map(({ session }) => session)).size, 3);
      for (const { fields } of ends) assert.deepEqual([fields['reason'], fields['code']], ['cut', 'unavailable']);
      assert.deepEqual(found.at(-1)?.type, 'cluster.stopped');
      assert.doesNotMatch(running.stderr, /error/i);
    });

  it('ends at once at the second signal, whichever it is', async () => {
    await using running = await LineProcess.start({ directory });
    await running.fill();
    const login = await running.login();
    // An orderly end takes a while where there are sessions; without any it can be over before the second signal is seen.
    const clients = await Promise.all([1, 2, 3].map(() => running.session(login)));
    // Both wait until it goes on, so that no machine is too slow for the second one.
    for (const signal of ['SIGSTOP', 'SIGTERM', 'SIGINT', 'SIGCONT'] as const) running.signal(signal);
    assert.deepEqual(await inTime('the exit', running.exit), { code: 130, signal: null });
    assert.notEqual((await events()).at(-1)?.type, 'cluster.stopped');
    for (const client of clients) client[Symbol.dispose]();
  });
});
