import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { LocalRecordings } from '../../src/recordings/index.js';
import { AuditedRecording } from '../../src/sessions/audited-recording.js';

describe('an audited recording', () => {
  let directory: string;
  beforeEach(async () => (directory = await mkdtemp(join(tmpdir(), 'postern-audited-'))));
  afterEach(() => rm(directory, { recursive: true, force: true }));

  it('says once that it is complete, however often it is closed', async () => {
    const recordings = await LocalRecordings.open(directory);
    const made = await recordings.create({
      session: 's-1',
      kind: 'screen',
      format: 'terminal',
      user: 'alice',
      resourceKind: 'test',
      resource: 'box',
      cluster: 'cluster.test',
      header: {},
    });
    const events: string[] = [];
    const recording = new AuditedRecording(made, {
      kind: 'screen',
      demanded: true,
      emit: (type) => void events.push(type),
    });
    await recording.write('out', Buffer.from('hello'));
    await Promise.all([recording.close(), recording.close()]);
    await recording.close();
    assert.deepEqual(events, ['recording.completed']);
  });
});
