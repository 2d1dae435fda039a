import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { AuditReader } from '@postern/kernel/audit';
import { inTime, LineProcess } from '../../kernel/test/cluster/line-process.js';
import { heard } from '../../kernel/test/cluster/line-world.js';
import { binary, build } from './support/programs.js';

const lines = new URL('../../kernel/test/cluster/line-protocol.ts', import.meta.url).href;

describe('the built program that is told to stop', function () {
  this.timeout(90_000);
  let directory: string;

  before(async () => {
    await build();
    directory = await mkdtemp(join(tmpdir(), 'postern-built-'));
    await writeFile(
      join(directory, 'lines.mjs'),
      `import { linePlugin } from ${JSON.stringify(lines)};\nexport default linePlugin();\n`,
    );
  });
  after(() => rm(directory, { recursive: true, force: true }));

  it('ends its sessions with a word, writes everything down, and exits with 0', async () => {
    await using running = await LineProcess.start({
      directory,
      // The plugin comes as its source.
      program: [...process.execArgv, binary('postern')],
      configuration: { plugins: { lines: { path: join(directory, 'lines.mjs') } } },
    });
    await running.fill();
    const client = await running.session(await running.login());
    assert.equal(await client.ask('say here'), 'ok here');
    running.signal('SIGTERM');
    assert.deepEqual(await inTime('the end', heard(client)), [
      'no unavailable the agent is shutting down; connect again',
    ]);
    assert.deepEqual(await inTime('the exit', running.exit), { code: 0, signal: null }, running.stderr);
    const reader = new AuditReader({ directory: join(directory, 'data', 'audit', 'log') });
    const { events } = await reader.find({ order: 'newest', limit: 2 });
    assert.deepEqual(
      events.map(({ event }) => event.type),
      ['cluster.stopped', 'session.end'],
    );
  });
});
