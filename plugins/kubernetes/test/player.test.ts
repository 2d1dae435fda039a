import assert from 'node:assert/strict';
import { kubernetesPlayer } from '../src/player.js';

const at = { ms: 10, connection: 4, sequence: 2 };
const who = { user: 'dev@example.com', groups: ['developers', 'oncall'] };

describe('a recording of requests', () => {
  const cases: readonly (readonly [string, Parameters<NonNullable<typeof kubernetesPlayer.line>>[0]])[] = [
    [
      '4/2 → list pods in shop as dev@example.com (developers, oncall)',
      { ...at, mark: 'request', method: 'GET', verb: 'list', resource: 'pods', namespace: 'shop', ...who },
    ],
    [
      '4/2 → get nodes n1 as dev@example.com',
      { ...at, mark: 'request', method: 'GET', verb: 'get', resource: 'nodes', name: 'n1', user: who.user, groups: [] },
    ],
    [
      '4/2 → GET /metrics as dev@example.com (developers, oncall)',
      { ...at, mark: 'request', method: 'GET', path: '/metrics', ...who },
    ],
    [
      `4/2 → create pods/exec box in shop as dev: sh -c 'echo it'\\''s' (terminal)`,
      {
        ...at,
        mark: 'request',
        verb: 'create',
        resource: 'pods/exec',
        name: 'box',
        namespace: 'shop',
        user: 'dev',
        command: ['sh', '-c', "echo it's"],
        tty: true,
      },
    ],
    ['4/2 ← 200 in 1.5 ms', { ...at, mark: 'response', status: 200, durationMs: 1.5 }],
    [
      '4/2 ← 101 in 1.5 ms, goes on as SPDY/3.1',
      { ...at, mark: 'response', status: 101, durationMs: 1.5, stream: 'SPDY/3.1' },
    ],
    [
      '4/2 ← exit code 7, 1 bytes in and 2 out in 3 ms',
      { ...at, mark: 'stream', exit: '7', bytesIn: 1, bytesOut: 2, durationMs: 3, recorded: true },
    ],
    [
      '4/2 ← ended: Success, 1 bytes in and 2 out in 3 ms',
      { ...at, mark: 'stream', exit: 'Success', bytesIn: 1, bytesOut: 2, durationMs: 3, recorded: true },
    ],
    [
      '4/2 ← over, 1 bytes in and 2 out in 3 ms',
      { ...at, mark: 'stream', bytesIn: 1, bytesOut: 2, durationMs: 3, recorded: false },
    ],
  ];
  for (const [line, entry] of cases)
    it(`is played as ${line}`, () => {
      assert.equal(kubernetesPlayer.line?.(entry), line);
    });

  it('attack: a name that moves the cursor', () => {
    const line = kubernetesPlayer.line?.({ ...at, mark: 'request', path: '/\u001b[2J', method: 'GET', ...who });
    assert.ok(line !== undefined && !line.includes('\u001b'));
  });

  it('has no line for what it does not know', () => {
    assert.equal(kubernetesPlayer.line?.({ ...at, mark: 'other' }), undefined);
  });
});
