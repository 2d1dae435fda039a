import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { inflateSync } from 'node:zlib';
import type { RecordedEntry, RecordedSession } from '@postern/plugin-sdk';
import { needProgram } from '@postern/plugin-sdk/testing';
import { channelData, mcs } from '../src/mcs.js';
import { rdpPlayer } from '../src/player.js';
import { demandActive, picture } from './support/fake-desktop.js';

const size = channelData(mcs.dataIndication, { user: 1002, channel: 1003 }, demandActive(65, 33));
const entry = (ms: number, pdu: Buffer): RecordedEntry => ({ ms, out: pdu.toString('base64') });

const session = (entries: readonly RecordedEntry[]): RecordedSession => ({
  kind: 'screen',
  format: 'packets',
  durationMs: 1500,
  header: {},
  async *entries() {
    yield* entries;
  },
});
const played = session([
  entry(0, size),
  entry(100, picture(0, 0, 8, 0x102030)),
  { ms: 200, mark: 'clipboard', direction: 'to_desktop', kind: 'data', bytes: 7 },
  entry(1000, picture(0, 0, 8, 0xc0b0a0)),
]);

describe('a player of recordings', () => {
  let directory: string;
  const options = (name: string, atMs?: number) => ({
    file: join(directory, name),
    signal: new AbortController().signal,
    progress: () => {},
    ...(atMs !== undefined && { atMs }),
  });
  before(async () => {
    directory = await mkdtemp(join(tmpdir(), 'postern-player-'));
  });
  after(() => rm(directory, { recursive: true, force: true }));

  for (const [atMs, want] of [
    [undefined, 'c0b0a0'],
    [999, '102030'],
    [50, '000000'],
  ] as const)
    it(`writes the picture at ${atMs ?? 'the end'}`, async () => {
      await rdpPlayer.exports?.['png']?.export(played, options('one.png', atMs));
      const png = await readFile(join(directory, 'one.png'));
      assert.deepEqual([png.readUInt32BE(16), png.readUInt32BE(20)], [65, 33]);
      const rows = inflateSync(png.subarray(41, 41 + png.readUInt32BE(33)));
      assert.equal(rows.toString('hex', 1, 4), want);
    });

  it('writes a video of the whole length, with even sides', async function () {
    needProgram(this, 'ffmpeg', 'ffmpeg');
    await rdpPlayer.exports?.['mp4']?.export(played, options('film.mp4'));
    const fields = ['-show_entries', 'stream=width,height,nb_frames', '-of', 'csv=p=0'];
    const { stdout } = await promisify(execFile)('ffprobe', ['-v', 'error', ...fields, join(directory, 'film.mp4')]);
    assert.equal(stdout.trim(), '66,34,15');
  });

  it('says what is missing where ffmpeg is', async () => {
    const { PATH } = process.env;
    process.env['PATH'] = directory;
    try {
      await assert.rejects(
        rdpPlayer.exports?.['mp4']?.export(played, options('no.mp4')) ?? Promise.resolve(),
        /install ffmpeg/,
      );
    } finally {
      process.env['PATH'] = PATH;
    }
  });

  it('says so of a damaged recording, and of an empty one', async () => {
    const damaged = session([entry(0, size), entry(5, Buffer.from([0, 9, 1, 4, 0, 1]))]);
    const png = rdpPlayer.exports?.['png'];
    await assert.rejects(png?.export(damaged, options('x.png')) ?? Promise.resolve(), /damaged at 5 ms/);
    await assert.rejects(png?.export(session([]), options('x.png')) ?? Promise.resolve(), /no picture/);
  });

  it('prints what is not pixels', async () => {
    const lines: (string | undefined)[] = [];
    for await (const one of played.entries()) lines.push(rdpPlayer.line?.(one));
    assert.deepEqual(lines, [undefined, undefined, 'clipboard: 7 bytes (data) to desktop', undefined]);
  });
});
