import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { Readable } from 'node:stream';
import { needProgram } from '@postern/plugin-sdk/testing';
import { asciicast, terminalFrames, type RecordingMetadata } from '../../src/recordings/index.js';
import { start, Store } from './support.js';

const grin = Buffer.from('a😀b');
const chunks: Readonly<Record<string, readonly Buffer[]>> = {
  'nothing at all': [],
  'one line': [Buffer.from('hello\r\n')],
  'a character in three chunks': [grin.subarray(0, 2), grin.subarray(2, 4), grin.subarray(4)],
  'bytes that are no text': [randomBytes(5000), Buffer.from([0, 255, 10, 13, 0xc3])],
  'lines without an end': [Buffer.from('a\nb'), Buffer.from('\n\nc')],
  'more than a chunk of the reader': [Buffer.alloc(300_000, 'x'), Buffer.from('end')],
};

const metadata: RecordingMetadata = {
  ...start('s1'),
  version: 1,
  recording: '1',
  started: new Date(0).toISOString(),
  durationMs: 0,
  bytes: 0,
};

async function exported(frames: Parameters<typeof asciicast>[1], resizes: Parameters<typeof asciicast>[2] = []) {
  const lines: unknown[] = [];
  for await (const line of asciicast(metadata, frames, resizes)) lines.push(JSON.parse(line));
  return lines;
}

describe('a terminal recording', () => {
  for (const [what, pieces] of Object.entries(chunks)) {
    it(`is what cat and scriptreplay(1) show, byte for byte: ${what}`, async function () {
      needProgram(this, 'scriptreplay', 'bsdutils');
      let time = 1e12;
      await using store = await Store.open(() => new Date(time));
      const made = await store.recordings.create(start('s1'));
      for (const piece of pieces) {
        time += 3;
        await made.write('out', piece);
        await made.mark('resize', { columns: 100, rows: 30 });
      }
      await made.close();
      const wanted = Buffer.concat(pieces);
      const output = store.in('s1', 'output');
      const shown = execFileSync('cat', [output], { maxBuffer: 1e7 });
      assert.ok(shown.subarray(shown.indexOf(10) + 1).equals(wanted));
      const replayed = execFileSync('scriptreplay', ['-d', '1000', '-t', store.in('s1', 'timing'), output], {
        maxBuffer: 1e7,
      });
      // scriptreplay(1) ends what it shows with a line end of its own.
      assert.ok(replayed.subarray(0, wanted.length).equals(wanted), replayed.subarray(0, 80).toString());
      assert.ok(replayed.length <= wanted.length + 2);
    });

    it(`comes out of its two files as it was written: ${what}`, async () => {
      let time = 1e12;
      await using store = await Store.open(() => new Date(time));
      const made = await store.recordings.create(start('s1'));
      for (const piece of pieces) {
        time += 250;
        await made.write('out', piece);
      }
      await made.close();
      const files = await Promise.all(['output', 'timing'].map((file) => store.recordings.read('s1', '1', file)));
      const [output, timing] = files as [Readable, Readable];
      const read: { readonly atMs: number; readonly data: Buffer }[] = [];
      for await (const frame of terminalFrames(output, timing)) read.push(frame);
      assert.deepEqual(
        read,
        pieces.map((data, index) => ({ atMs: (index + 1) * 250, data })),
      );
    });
  }

  it('takes a buffer that its caller uses again at once', async () => {
    await using store = await Store.open();
    const made = await store.recordings.create(start('s1'));
    const shared = Buffer.from('first');
    const hold = made.write('out', shared);
    shared.write('xxxxx');
    await hold;
    await made.close();
    assert.match(await readFile(store.in('s1', 'output'), 'utf8'), /\nfirst$/);
  });
});

describe('an asciicast', () => {
  it('begins with a header of version 2, and puts split characters together', async () => {
    const frames = [grin.subarray(0, 2), grin.subarray(2, 4), grin.subarray(4)].map((data, i) => ({ atMs: i, data }));
    const [header, ...events] = await exported(Readable.from(frames));
    assert.deepEqual(header, {
      version: 2,
      width: 80,
      height: 24,
      timestamp: 0,
      duration: 0,
      title: 'ann@orders',
      env: { TERM: 'xterm-256color' },
    });
    assert.deepEqual(events, [
      [0, 'o', 'a'],
      [0.002, 'o', '😀b'],
    ]);
  });

  it('has the size of the window also where it changed after the last output, and what a torn output left', async () => {
    const output = Readable.from([Buffer.from('Script\nabc')]);
    const frames = terminalFrames(output, Readable.from(['0.1 2\n0.2 5\n']));
    assert.deepEqual((await exported(frames, [{ atMs: 900, columns: 9, rows: 8 }])).slice(1), [
      [0.1, 'o', 'ab'],
      [0.1, 'o', 'c'],
      [0.9, 'r', '9x8'],
    ]);
  });

  it('is in the order of time', async () => {
    const frames = Readable.from([0, 100, 200].map((atMs) => ({ atMs, data: Buffer.from('x') })));
    const resizes = [250, 50, 150].map((atMs) => ({ atMs, columns: 80, rows: 24 }));
    const times = (await exported(frames, resizes)).slice(1).map((event) => (event as [number])[0]);
    assert.deepEqual(times, [0, 0.05, 0.1, 0.15, 0.2, 0.25]);
  });
});
