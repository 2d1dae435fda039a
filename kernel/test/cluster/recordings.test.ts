import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { mkdtemp, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { TestCluster } from '../../../test/support/cluster.js';
import { hello } from './line-client.js';
import { endOf, reader, sessionOf, startLines } from './line-world.js';
import { tmpdir } from 'node:os';

describe('a recording that cannot be created', () => {
  let cluster: TestCluster;

  before(async () => {
    cluster = await startLines({
      roles: [reader(), reader('strict', { options: { recording: 'strict' } })],
      users: { ann: { roles: ['reader'] }, sam: { roles: ['strict'] } },
    });
    // A file in the place of the directory: nothing can be made in it, whoever asks.
    const { recordings } = cluster.running.state.directory;
    await rename(recordings, `${recordings}.away`);
    await writeFile(recordings, '');
  });
  after(() => cluster[Symbol.asyncDispose]());

  for (const [user, wanted] of [
    ['ann', /^ok screen$/],
    ['sam', /^(?!ok)/],
  ] as const)
    it(`is in the log; the session ${user === 'ann' ? 'goes on where nobody demands it' : 'fails where it is demanded'}`, async () => {
      const [client] = await hello(cluster, await cluster.login(user));
      const session = await sessionOf(client);
      assert.match((await client.ask('record screen')) ?? 'closed', wanted);
      await client.send('bye').catch(() => {});
      await endOf(cluster, session);
      const [failed, ...more] = await cluster.events({ session, types: ['recording.failed'] });
      assert.deepEqual(more, []);
      assert.equal(failed?.fields['code'], 'audit_unavailable');
      assert.equal(failed.fields['kind'], 'screen');
    });
});

describe('a recording that a crash left open', () => {
  it('is in the log of the next start as recovered, with its hash', async () => {
    const data = await mkdtemp(join(tmpdir(), 'postern-cluster-'));
    try {
      const directory = join(data, 'again');
      let path: string;
      {
        await using first = await startLines({ data: directory });
        const made = await first.running.state.recordings.create({
          session: 's1',
          kind: 'screen',
          format: 'terminal',
          user: 'ann',
          resourceKind: 'lines',
          resource: 'one',
          cluster: first.cluster,
          header: {},
        });
        await made.close();
        path = join(first.running.state.directory.recordings, 's1', '1', 'metadata.json');
      }
      const {
        ended: _ended,
        hashes: _hashes,
        ...open
      } = JSON.parse(await readFile(path, 'utf8')) as Record<string, unknown>;
      await writeFile(path, JSON.stringify(open));
      await using second = await startLines({ data: directory, roles: [], resources: [], users: {} });
      const { fields } = await second.event({ session: 's1', types: ['recording.completed'] });
      assert.equal(fields['recovered'], true);
      const folder = dirname(path);
      const hashes = Object.entries(fields['sha256'] as Record<string, string>);
      assert.deepEqual(
        hashes.map(([file]) => file).sort(),
        (await readdir(folder)).filter((file) => file !== 'metadata.json').sort(),
      );
      for (const [file, sha256] of hashes)
        assert.equal(
          createHash('sha256')
            .update(await readFile(join(folder, file)))
            .digest('hex'),
          sha256,
        );
    } finally {
      await rm(data, { recursive: true, force: true });
    }
  });
});
