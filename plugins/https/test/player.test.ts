import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { httpsPlayer } from '../src/player.js';
import { harEntries } from './support/har-rules.js';

describe('a recording of requests', () => {
  const entries = [
    { ms: 10, mark: 'request', connection: 1, sequence: 1, method: 'GET', path: '/a b', query: 'x=1', host: 'shop' },
    { ms: 20, mark: 'request', connection: 2, sequence: 1, method: 'GET', path: '/ws', upgrade: 'websocket' },
    {
      ms: 30,
      mark: 'response',
      connection: 1,
      sequence: 1,
      status: 200,
      bytesIn: 0,
      bytesOut: 99,
      durationMs: 20,
      complete: true,
    },
  ];
  /** What ended without an answer, and names that would not be what they are in a URL. */
  const odd = [
    {
      ms: 40,
      mark: 'request',
      connection: 3,
      sequence: 1,
      method: 'POST',
      path: '/a?b#c%20ü',
      query: 'd=e+f',
      host: 'shop',
    },
    { ms: 50, mark: 'response', connection: 3, sequence: 1, bytesIn: 7, bytesOut: 0, durationMs: 10, complete: false },
    { ms: 60, mark: 'request', connection: 3, sequence: 2, method: 'GET', path: '/cut\ud83d', host: 'shop' },
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
          yield* [...entries, ...odd];
        },
      };
      const options = { file, signal: new AbortController().signal, progress: () => {} };
      await httpsPlayer.exports?.['har']?.export(session, options);
      const made = harEntries(JSON.parse(await readFile(file, 'utf8')));
      assert.equal(made.length, 4);
      assert.equal(made[0]?.['startedDateTime'], '2026-01-02T03:04:05.010Z');
      assert.deepEqual(
        made.map((entry) => (entry['request'] as { url: string }).url),
        [
          'https://shop/a%20b?x=1',
          'https://wiki/ws',
          'https://shop/a%3Fb%23c%2520%C3%BC?d=e+f',
          'https://shop/cut%EF%BF%BD',
        ],
      );
      assert.deepEqual(
        made.map((entry) => [entry['time'], (entry['response'] as { status: number }).status, entry['comment']]),
        [
          [20, 200, undefined],
          [0, 0, undefined],
          [10, 0, 'broken off'],
          [0, 0, undefined],
        ],
      );
    } finally {
      await rm(directory, { recursive: true, force: true });
    }
  });
});
