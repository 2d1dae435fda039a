import assert from 'node:assert/strict';
import { mkdir, mkdtemp, open, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { verifyLog } from '../../src/audit/index.js';
import { parseVerifierKey } from '../../src/audit/tlog/index.js';
import type { TestCluster } from '../../../test/support/cluster.js';
import { smallDisk } from '../../../test/support/small-disk.js';
import { hello } from './line-client.js';
import { inTime } from './line-process.js';
import { heard, quiet, readyz, sessionOf, startLines } from './line-world.js';

const within = <T>(work: Promise<T>): Promise<T> => inTime('a step', work, 10_000);

/** Fills a file system to its last byte. */
async function fill(path: string): Promise<void> {
  const file = await open(path, 'w');
  try {
    for (let block = Buffer.alloc(1 << 20); block.length > 0;) {
      const written = await file.write(block).then(
        ({ bytesWritten }) => bytesWritten,
        () => 0,
      );
      if (written < block.length) block = block.subarray(0, block.length >> 1);
    }
  } finally {
    await file.close();
  }
}

async function assertVerifies(cluster: TestCluster): Promise<void> {
  const { auditLog, authorities, trail } = cluster.running.state;
  await trail.delivery.idle(AbortSignal.timeout(10_000));
  const report = await verifyLog({
    directory: auditLog.directory,
    keys: [parseVerifierKey(authorities.auditVerifier)],
  });
  assert.deepEqual([report.ok, report.problems], [true, []]);
}

describe('a process whose disk is full', () => {
  it('ends what it cannot record, says that it is not ready, and goes on when there is room', async function () {
    this.timeout(30_000);
    const data = await mkdtemp(join(tmpdir(), 'postern-full-'));
    const disk = join(data, 'disk');
    await mkdir(disk);
    try {
      await using _ = smallDisk(this, disk, '24m');
      await goThrough(disk);
    } finally {
      await rm(data, { recursive: true });
    }
  });

  async function goThrough(disk: string): Promise<void> {
    await using cluster = await startLines({ data: disk });
    const login = await cluster.login('ann');
    const [client] = await hello(cluster, login);
    const session = await sessionOf(client);
    let accepted = 0;
    await fill(join(disk, 'ballast'));
    // The last page of the queue's own file has some room.
    for (let answer: string | undefined; ; accepted += 1) {
      answer = await client.ask(`say ${'x'.repeat(900)}`);
      if (!answer?.startsWith('ok')) break;
    }
    assert.match((await within(heard(client))).at(-1) ?? '', /^no unavailable what cannot be recorded must not happen/);
    const [late, refusal] = await hello(cluster, login);
    assert.match(refusal ?? '', /^no unavailable /);
    late[Symbol.dispose]();
    const { status, body } = await readyz(cluster);
    assert.equal(status, 503);
    assert.match(body, /^failed audit: /m);

    await rm(join(disk, 'ballast'));
    const [again, welcome] = await hello(cluster, login);
    assert.equal(welcome, 'ok hello');
    await again.send('bye');
    await again.next();
    const said = await cluster.events({ session, types: ['lines.said'] });
    assert.equal(said.length, accepted);
    assert.equal((await cluster.event({ session, types: ['session.end'] })).fields['code'], 'unavailable');
    await quiet(cluster);
    assert.equal((await readyz(cluster)).status, 200);
    await assertVerifies(cluster);
  }
});
