import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { httpsPlayer } from '../src/player.js';

describe('a recording of requests', () => {
  const entries = [
    { ms: 10, mark: 'request', connection: 1, sequence: 1, method: 'GET', path: '/a b', query: 'x=1', host: 'shop' },
    { ms: 20, mark: 'request', connection: 2, sequence: 1, method: 'GET', path: '/ws', upgrade: 'websocket' },
    { ms: 30, mark: 'response', connection: 1, sequence: 1, status: 200, bytesOut: 99, durationMs: 20, complete: true },
  ];

  it('is played as lines', () => {
    assert.deepEqual(
      entries.map((entry) => httpsPlayer.line?.(entry)),
      ['1/1 → GET /a b?x=1', '2/1 → GET /ws (websocket)', '1/1 ← 200, 99 bytes in 20 ms'],
    );
  });

  it('attack: a path that moves the cursor', () => {
    const line = httpsPlayer.line?.({
      ms: 1,
      mark: 'request',
      connection: 1,
      sequence: 1,
      method: 'GET',
      path: '/\u001b[2J',
    });
    assert.ok(!line?.includes('\u001b'));
  });

  it('is exported as an HTTP archive', async () => {
    const directory = await mkdtemp(join(tmpdir(), 'postern-har-'));
    try {
      const file = join(directory, 'out.har');
      const header = { startedAt: '2026-01-02T03:04:05.000Z', user: 'alice', resource: 'wiki' };
      const session = {
        kind: 'requests',
        format: 'lines' as const,
        durationMs: 30,
        header,
        entries: async function* () {
          yield* entries;
        },
      };
      const options = { file, signal: new AbortController().signal, progress: () => {} };
      await httpsPlayer.exports?.['har']?.export(session, options);
      const { log } = JSON.parse(await readFile(file, 'utf8')) as {
        log: { version: string; entries: Record<string, unknown>[] };
      };
      assert.equal(log.version, '1.2');
      assert.equal(log.entries.length, 2);
      const [first] = log.entries;
      assert.equal(first?.['startedDateTime'], '2026-01-02T03:04:05.010Z');
      assert.equal((first['request'] as { url: string }).url, 'https://shop/a%20b?x=1');
      assert.equal((first['response'] as { status: number }).status, 200);
    } finally {
      await rm(directory, { recursive: true, force: true });
    }
  });
});
