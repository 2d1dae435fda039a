import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { readdir, readFile, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { ApiClient } from '../../src/api/api-client.js';
import { entriesOf } from '../../src/cli/recordings/read.js';
import { recordingFiles, terminalFrames, type RecordingMetadata } from '../../src/recordings/index.js';
import { isFull, start, Store } from './support.js';

const child = join(import.meta.dirname, 'children', 'record.ts');

/** Lets a process record until there is something in all of its recordings, and kills it in the middle of its work. */
async function recordAndKill(store: Store, session: string, workMs: number): Promise<void> {
  const args = ['--import=tsx', '--conditions=postern:source', child, store.directory, session];
  const running = spawn(process.execPath, args, { stdio: ['ignore', 'ignore', 'inherit'] });
  const exited = once(running, 'exit');
  try {
    const sizes = (): Promise<number[]> =>
      Promise.all(
        ['1', '2', '3'].map(async (recording) => {
          const names = await readdir(store.in(session, '.', recording)).catch(() => []);
          const data = names.filter((name) => /^(timing|lines|packets)/.test(name));
          const found = await Promise.all(data.map((name) => stat(store.in(session, name, recording))));
          return found.reduce((sum, { size }) => sum + size, 0);
        }),
      );
    while ((await sizes()).some((size) => size === 0) && running.exitCode === null) await sleep(5);
    await sleep(workMs);
  } finally {
    running.kill('SIGKILL');
  }
  assert.deepEqual(await exited, [null, 'SIGKILL']);
}

/** The numbers of the lines that the child wrote, as far as they are whole. */
async function linesOf(store: Store, metadata: RecordingMetadata): Promise<number[]> {
  const read = (file: string) => store.recordings.read(metadata.session, metadata.recording, file);
  const chunks: Buffer[] = [];
  if (metadata.format === 'terminal') {
    const frames = terminalFrames(await read('output'), await read('timing'));
    for await (const { data } of frames) chunks.push(data);
  } else {
    const client = { bytes: (_: unknown, { file }: { readonly file: string }) => read(file) };
    for await (const { out } of await entriesOf(client as unknown as ApiClient, metadata))
      chunks.push(Buffer.from(String(out), 'base64'));
  }
  const whole = Buffer.concat(chunks).toString().split('\n').slice(0, -1);
  return whole.map((line) => Number(/^(\d+) x*$/.exec(line)?.[1]));
}

describe('recordings of a process that was killed', function () {
  this.timeout(isFull ? 600_000 : 60_000);

  it('are completed by its successor, with everything that was in the files, in order and without a hole', async () => {
    await using store = await Store.open();
    const rounds = isFull ? 40 : 2;
    for (let round = 0; round < rounds; round += 1) {
      const session = `s${round}`;
      await recordAndKill(store, session, (round * 113) % 1000);
      const recovered = await store.recordings.recover();
      assert.deepEqual(recovered.map(({ format }) => format).sort(), ['lines', 'packets', 'terminal']);
      for (const metadata of recovered) {
        assert.equal(metadata.recovered, true);
        for (const file of recordingFiles[metadata.format]) {
          const data = await readFile(store.in(session, file, metadata.recording));
          assert.equal(metadata.hashes?.[file], createHash('sha256').update(data).digest('hex'));
        }
        const lines = await linesOf(store, metadata);
        assert.ok(lines.length > 0, `${metadata.format} has nothing`);
        assert.deepEqual(lines, [...lines.keys()], metadata.format);
      }
      assert.deepEqual(await store.recordings.recover(), []);
    }
  });
});

describe('recovering', () => {
  it('completes a recording that has no timing', async () => {
    await using store = await Store.open();
    await (await store.recordings.create(start('s1'))).close();
    await store.reopen('s1');
    await rm(store.in('s1', 'timing'));
    const [recovered] = await store.recordings.recover();
    assert.equal(recovered?.recovered, true);
    assert.deepEqual(Object.keys(recovered.hashes ?? {}), ['output', 'marks.jsonl']);
  });

  it('leaves alone what is complete', async () => {
    await using store = await Store.open();
    await (await store.recordings.create(start('s1'))).close();
    const before = await readFile(store.in('s1', 'metadata.json'), 'utf8');
    assert.deepEqual(await store.recordings.recover(), []);
    assert.equal(await readFile(store.in('s1', 'metadata.json'), 'utf8'), before);
  });
});
