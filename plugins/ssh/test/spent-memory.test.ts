import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { connect, createServer, type Socket } from 'node:net';
import { setImmediate as turn } from 'node:timers/promises';
import { markAsUntransferable } from 'node:worker_threads';
import { SpentMemory } from '../src/spent-memory.js';

const piece = (bytes: number): Buffer => Buffer.allocUnsafeSlow(bytes);

describe('spent memory', () => {
  it('is given back at once, and not before it is said to be spent', () => {
    const spent = new SpentMemory();
    const [one, two] = [piece(4096), piece(32_768)];
    spent.add(one);
    spent.add(two);
    assert.deepEqual([one.length, two.length], [4096, 32_768]);
    spent.release();
    assert.deepEqual([one.buffer.byteLength, two.buffer.byteLength], [0, 0]);
    spent.release();
  });

  it('is no part of what counts as used', () => {
    const spent = new SpentMemory();
    const before = process.memoryUsage().arrayBuffers;
    for (let count = 0; count < 200; count += 1) {
      spent.add(piece(1_000_000));
      spent.release();
    }
    const held = process.memoryUsage().arrayBuffers - before;
    assert.ok(held < 20_000_000, `${held} bytes are held`);
  });

  it('is left alone where others have a part of it', () => {
    const spent = new SpentMemory();
    const whole = piece(64_000);
    spent.add(whole.subarray(0, 63_999));
    const pooled = Buffer.allocUnsafe(3000);
    spent.add(pooled);
    spent.release();
    assert.equal(whole.buffer.byteLength, 64_000);
    assert.equal(pooled.length, 3000);
  });

  it('is left to the collector where it is little, or too much waits', () => {
    const spent = new SpentMemory();
    const small = piece(2047);
    spent.add(small);
    const many = [...Array(6).keys()].map(() => piece(4096));
    for (const each of many) spent.add(each);
    spent.release();
    assert.equal(small.length, 2047);
    assert.deepEqual(
      many.map(({ length }) => length),
      [0, 0, 0, 0, 4096, 4096],
    );
  });

  it('may be said to be spent twice', () => {
    const spent = new SpentMemory();
    const twice = piece(4096);
    spent.add(twice);
    spent.add(twice);
    spent.release();
    spent.add(twice);
    spent.release();
    assert.equal(twice.length, 0);
  });

  it('stays whole, without an error, where it cannot be given away', () => {
    const spent = new SpentMemory();
    const kept = piece(4096);
    markAsUntransferable(kept.buffer);
    spent.add(kept);
    spent.release();
    assert.equal(kept.length, 4096);
  });

  it('is never that of bytes on their way, however slowly they are read', async () => {
    const server = createServer({ pauseOnConnect: true });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const writer = connect((server.address() as { port: number }).port, '127.0.0.1');
    const [reader] = (await once(server, 'connection')) as [Socket];
    const spent = new SpentMemory();
    const sent: Buffer[] = [];
    const seen: Buffer[] = [];
    reader.on('data', (data: Buffer) => seen.push(data));
    for (let count = 0; count < 400; count += 1) {
      if (writer.writableLength === 0) spent.release();
      const random = randomBytes(32_768);
      const data = piece(random.length);
      random.copy(data);
      sent.push(random);
      writer.write(data);
      spent.add(data);
      // Others take memory that was given back too early.
      piece(random.length).fill(count);
      if (count % 10 === 0) reader.resume();
      if (count % 10 === 5) reader.pause();
      if (count % 3 === 0) await turn();
    }
    writer.end();
    reader.resume();
    await once(reader, 'end');
    reader.destroy();
    server.close();
    assert.ok(Buffer.concat(seen).equals(Buffer.concat(sent)));
  });
});
