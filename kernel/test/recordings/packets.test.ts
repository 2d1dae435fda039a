import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { Readable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import { brotliDecompressSync } from 'node:zlib';
import type { RecordedEntry } from '@postern/plugin-sdk';
import type { ApiClient } from '../../src/api/api-client.js';
import { entriesOf } from '../../src/cli/recordings/read.js';
import { start, Store } from './support.js';

/** Reads the bytes of a stored file as `psh` does. */
async function entries(stored: Buffer): Promise<readonly RecordedEntry[]> {
  const client = { bytes: () => Promise.resolve(Readable.from([stored])) } as unknown as ApiClient;
  const found = {
    ...start('s1', 'packets'),
    version: 1,
    recording: '1',
    started: '',
    durationMs: 0,
    bytes: 0,
  } as const;
  const read: RecordedEntry[] = [];
  for await (const entry of await entriesOf(client, found)) read.push(entry);
  return read;
}

/** A whole recording of packets with something of every kind. */
async function stored(count: number): Promise<Buffer> {
  await using store = await Store.open();
  const made = await store.recordings.create(start('s1', 'packets'));
  for (let index = 0; index < count; index += 1) {
    await made.write(index % 2 ? 'in' : 'out', Buffer.from(`packet ${index} ${Math.sin(index)}`));
    await made.mark('picture', { index });
  }
  await made.close();
  return readFile(store.in('s1', 'packets.jsonl.br'));
}

const without = (read: readonly RecordedEntry[]): readonly unknown[] => read.map((entry) => ({ ...entry, ms: 0 }));

describe('a recording of packets', () => {
  it('comes back packet for packet, with its marks', async () => {
    assert.deepEqual(without(await entries(await stored(1))), [
      { ms: 0, out: Buffer.from('packet 0 0').toString('base64') },
      { ms: 0, mark: 'picture', index: 0 },
    ]);
    assert.equal((await entries(await stored(2000))).length, 4000);
  });

  it('may be empty', async () => {
    assert.deepEqual(await entries(await stored(0)), []);
    assert.deepEqual(await entries(Buffer.alloc(0)), []);
  });

  it('is read as far as it goes wherever a crash tore it, and never says what was not written', async () => {
    const whole = await stored(1000);
    const wanted = await entries(whole);
    let longest = 0;
    for (let at = 0; at < whole.length; at += Math.ceil(whole.length / 60)) {
      const read = await entries(whole.subarray(0, at));
      assert.deepEqual(read, wanted.slice(0, read.length), `torn at ${at}`);
      assert.ok(read.length >= longest);
      longest = read.length;
    }
    assert.ok(longest > wanted.length / 2);
  });

  it('reaches the disk within seconds also where little comes', async () => {
    await using store = await Store.open();
    const made = await store.recordings.create(start('s1', 'packets'));
    await made.write('out', Buffer.from('one key'));
    let read: readonly RecordedEntry[] = [];
    for (let tries = 0; read.length === 0 && tries < 400; tries += 1) {
      await sleep(20);
      read = await entries(await readFile(store.in('s1', 'packets.jsonl.br')));
    }
    await made.close();
    assert.deepEqual(without(read), [{ ms: 0, out: Buffer.from('one key').toString('base64') }]);
  });

  it('holds its session while more than a megabyte waits, and lets it go on after', async () => {
    await using store = await Store.open();
    const made = await store.recordings.create(start('s1', 'packets'));
    const holds: Promise<void>[] = [];
    const warnings: Error[] = [];
    const warned = (warning: Error): number => warnings.push(warning);
    process.on('warning', warned);
    for (let index = 0; index < 40; index += 1) {
      const hold = made.write('out', Buffer.alloc(64 * 1024, index));
      if (hold) holds.push(hold);
    }
    assert.ok(holds.length > 0 && holds.length < 35, `${holds.length} were held`);
    await Promise.all(holds);
    await made.close();
    process.off('warning', warned);
    assert.deepEqual(warnings, []);
    const lines = brotliDecompressSync(await readFile(store.in('s1', 'packets.jsonl.br')))
      .toString()
      .split('\n');
    assert.equal(lines.length, 41);
  });
});
