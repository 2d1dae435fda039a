import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { getCluster } from '../../src/api/contract/index.js';
import { inTime, LineProcess } from './line-process.js';

describe('a second process on the same data directory', function () {
  this.timeout(60_000);
  let directory: string;

  before(async () => {
    directory = await mkdtemp(join(tmpdir(), 'postern-second-'));
  });
  after(() => rm(directory, { recursive: true, force: true }));

  it('is refused with words that say why, and the first goes on as if nothing had been', async () => {
    await using first = await LineProcess.start({ directory });
    await first.fill();
    const login = await first.login();
    const client = await first.session(login);
    {
      await using second = await LineProcess.spawn({ directory });
      assert.deepEqual(await inTime('the exit', second.exit), { code: 1, signal: null });
      assert.match(second.stderr, /^postern: .*already in use by another postern process$/m);
      assert.ok(second.stderr.includes(first.data), second.stderr);
      assert.doesNotMatch(second.stderr, /^ +at /m);
      assert.equal(second.stdout, '');
    }
    assert.equal(await client.ask('say still here'), 'ok still here');
    assert.equal((await first.admin.call(getCluster, {})).name, 'cluster.test');
    const another = await first.session(login);
    assert.equal(await another.ask('say me too'), 'ok me too');
    first.signal('SIGTERM');
    assert.deepEqual(await inTime('the exit', first.exit), { code: 0, signal: null }, first.stderr);
  });
});
