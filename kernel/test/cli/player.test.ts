import assert from 'node:assert/strict';
import { Player, schedule, type PlayerKey } from '../../src/cli/recordings/player.js';
import { readableLine, timeText } from '../../src/cli/recordings/readable-line.js';

const frames = [0, 1000, 61_000, 62_000].map((atMs, index) => ({ atMs, data: Buffer.from(`${index}`) }));

/** Plays without waiting: keys are pressed in place of the sleep that they interrupt. */
async function played(keys: readonly (PlayerKey | undefined)[], maxIdleMs?: number) {
  let shown = '';
  const sleeps: number[] = [];
  const pending = [...keys];
  const player = new Player({
    frames,
    speed: 1,
    maxIdleMs,
    write: (data) => void (shown += data.toString()),
    sleep: async (ms) => {
      sleeps.push(Math.round(ms));
      const key = pending.shift();
      if (key) player.press(key);
    },
  });
  await player.play();
  return { shown, sleeps };
}

describe('a player', () => {
  it('shows everything, with the pauses that were there', async () => {
    assert.deepEqual(await played([]), { shown: '0123', sleeps: [1000, 60_000, 1000] });
  });

  it('cuts long pauses', async () => {
    assert.deepEqual(await played([], 2000), { shown: '0123', sleeps: [1000, 2000, 1000] });
    assert.deepEqual(schedule(frames, 2000), [0, 1000, 3000, 4000]);
  });

  it('waits while it is paused', async () => {
    const { shown, sleeps } = await played(['pause', 'pause']);
    assert.equal(shown, '0123');
    assert.equal(sleeps[1], 60_000);
  });

  it('leaves at once', async () => {
    assert.equal((await played(['quit'])).shown, '0');
  });

  it('goes forward over what it skips, and back to an empty screen', async () => {
    assert.equal((await played(['forward', 'quit'])).shown, '01');
    assert.equal((await played([undefined, 'back'])).shown, '01\u001bc0123');
  });

  it('plays faster and slower', async () => {
    const { sleeps } = await played(['faster', 'slower', 'slower']);
    assert.deepEqual(
      sleeps.slice(0, 3).map((ms) => Math.round(ms / 100)),
      [10, 5, 10],
    );
  });
});

describe('a line of a recording', () => {
  it('is readable, and harmless', () => {
    assert.equal(
      readableLine({ ms: 61_250, mark: 'query', statement: 'select\u001b[2J 1', rows: 2 }),
      '01:01.250  query  statement=select\ufffd[2J 1  rows=2',
    );
    assert.equal(readableLine({ ms: 0, in: Buffer.from('get k').toString('base64') }), '00:00.000  < get k');
    assert.equal(timeText(3_600_000), '60:00.000');
  });
});
