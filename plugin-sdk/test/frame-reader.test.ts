import assert from 'node:assert/strict';
import { PassThrough, Readable } from 'node:stream';
import fc from 'fast-check';
import { FrameReader, PosternError } from '@postern/plugin-sdk';

/** A stream that yields exactly these chunks, then ends. */
const chunks = (...parts: (string | Buffer)[]): Readable =>
  Readable.from(
    parts.map((part) => Buffer.from(part)),
    { objectMode: false },
  );

const rejectsWith = (code: string, work: Promise<unknown>): Promise<void> =>
  assert.rejects(work, (cause: unknown) => PosternError.is(cause) && cause.code === code);

/** Two lines, four bytes, and a line that ends with the stream. */
const sample = Buffer.from('first line\r\nsecond\n\x00\x01\r\nlast one\r\n', 'latin1');

async function readSample(stream: Readable): Promise<void> {
  const frames = new FrameReader(stream, 16);
  assert.equal(await frames.line(), 'first line');
  assert.equal(await frames.line(), 'second');
  assert.deepEqual([...(await frames.bytes(4))], [0, 1, 13, 10]);
  assert.equal((await frames.head(4))?.toString(), 'last');
  assert.equal(await frames.line(), ' one');
  assert.equal(await frames.line(), undefined);
  assert.equal(await frames.head(1), undefined);
}

describe('FrameReader', () => {
  it('reads the same at every split', async () => {
    for (let split = 0; split <= sample.length; split += 1)
      await readSample(chunks(sample.subarray(0, split), sample.subarray(split)));
  });

  it('reads the same at every pair of splits and one byte at a time', async () => {
    for (let one = 0; one <= sample.length; one += 3)
      for (let two = one; two <= sample.length; two += 2)
        await readSample(chunks(sample.subarray(0, one), sample.subarray(one, two), sample.subarray(two)));
    await readSample(chunks(...[...sample].map((byte) => Buffer.of(byte))));
  });

  it('returns what was sent, in any chunks and frames', async () => {
    const parts = fc.array(fc.uint8Array({ minLength: 1, maxLength: 40 }), { minLength: 1, maxLength: 20 });
    await fc.assert(
      fc.asyncProperty(parts, parts, async (sent, frames) => {
        const data = Buffer.concat(sent);
        const reader = new FrameReader(chunks(...sent.map((part) => Buffer.from(part))), 1024);
        let at = 0;
        const kept: Buffer[] = [];
        for (const { length } of frames) {
          if (at + length > data.length) break;
          kept.push(await reader.bytes(length));
          at += length;
        }
        // Frames that were handed out are not overwritten by what came later.
        assert.deepEqual(Buffer.concat(kept), data.subarray(0, at));
      }),
      { numRuns: process.env['POSTERN_TEST_FULL'] === '1' ? 2000 : 100 },
    );
  });

  it('gives back what was not consumed, and leaves the rest in the stream', async () => {
    const stream = new PassThrough();
    const frames = new FrameReader(stream, 64);
    stream.write('hello\r\nrest');
    assert.equal(await frames.line(), 'hello');
    assert.equal(frames.peek().toString(), 'rest');
    assert.equal(frames.release().toString(), 'rest');
    assert.equal(stream.listenerCount('data'), 0);
    stream.end(' and more');
    assert.equal(Buffer.concat(await stream.toArray()).toString(), ' and more');
  });

  it('cannot be used after its release', async () => {
    const frames = new FrameReader(new PassThrough(), 64);
    frames.release();
    await rejectsWith('internal', frames.bytes(1));
  });

  it('serves one call at a time', async () => {
    const stream = new PassThrough();
    const frames = new FrameReader(stream, 64);
    const first = frames.bytes(2);
    await rejectsWith('internal', frames.line());
    stream.end('ok');
    assert.equal((await first).toString(), 'ok');
  });

  it('knows a stream that had ended, and one that was destroyed, before it came', async () => {
    const ended = chunks();
    ended.resume();
    await new Promise((resolve) => ended.once('close', resolve));
    assert.equal(await new FrameReader(ended, 8).line(), undefined);
    const destroyed = new PassThrough();
    destroyed.destroy();
    await rejectsWith('protocol_violation', new FrameReader(destroyed, 8).bytes(1));
    const failed = new PassThrough().on('error', () => {});
    failed.destroy(new Error('reset'));
    await rejectsWith('aborted', new FrameReader(failed, 8).line());
  });

  it('rejects with the failure of the stream, also where no frame has begun', async () => {
    const stream = new PassThrough();
    const frames = new FrameReader(stream, 64);
    const waiting = frames.line();
    stream.destroy(new Error('connection reset'));
    await rejectsWith('aborted', waiting);
    await rejectsWith('aborted', frames.head(1));
  });

  it('tells the end of the stream from the end of a frame', async () => {
    await rejectsWith('protocol_violation', new FrameReader(chunks('abc'), 64).bytes(4));
    await rejectsWith('protocol_violation', new FrameReader(chunks('abc'), 64).head(4));
    await rejectsWith('protocol_violation', new FrameReader(chunks('abc'), 64).line());
    await rejectsWith('protocol_violation', new FrameReader(chunks(), 64).bytes(1));
    assert.equal((await new FrameReader(chunks(), 64).bytes(0)).length, 0);
  });
});

describe('FrameReader limits', () => {
  it('refuse a frame that announces 4 GiB without waiting for it', async () => {
    await rejectsWith('limit_exceeded', new FrameReader(new PassThrough(), 1024).bytes(0xffffffff));
  });

  for (const length of [-1, 1.5, NaN, Infinity, 2 ** 53])
    it(`refuse ${length} as a length`, async () => {
      await rejectsWith('protocol_violation', new FrameReader(new PassThrough(), 1024).bytes(length));
    });

  it('allow a frame and a line of exactly the limit, and no more', async () => {
    assert.equal((await new FrameReader(chunks('12345678'), 8).bytes(8)).length, 8);
    assert.equal(await new FrameReader(chunks('12345678\n'), 8).line(), '12345678');
    await rejectsWith('limit_exceeded', new FrameReader(chunks('123456789'), 8).bytes(9));
    await rejectsWith('limit_exceeded', new FrameReader(chunks('123456789\n'), 8).line());
    await rejectsWith('limit_exceeded', new FrameReader(chunks('1234', '56789'), 8).line());
  });

  it('hold no more than the limit and one chunk of a line that never ends', async () => {
    let produced = 0;
    const stream = new Readable({
      highWaterMark: 1024,
      read() {
        produced += 1024;
        this.push(Buffer.alloc(1024, 0x61));
      },
    });
    const frames = new FrameReader(stream, 8192);
    await rejectsWith('limit_exceeded', frames.line());
    assert.ok(produced <= 8192 + 3 * 1024, `${produced} bytes were read`);
    stream.destroy();
  });

  it('read nothing while nobody asks', async () => {
    let produced = 0;
    const stream = new Readable({
      highWaterMark: 1024,
      read() {
        produced += 1024;
        this.push(Buffer.alloc(1024));
      },
    });
    const frames = new FrameReader(stream, 1 << 20);
    await frames.bytes(10);
    const before = produced;
    for (let turn = 0; turn < 20; turn += 1) await new Promise((resolve) => setImmediate(resolve));
    assert.ok(produced - before <= 2048, `${produced - before} bytes were read for nobody`);
    stream.destroy();
  });

  it('a client that sends single bytes cannot make reading quadratic', async () => {
    const total = 100_000;
    const stream = new PassThrough({ highWaterMark: 1 << 20 });
    const frames = new FrameReader(stream, total);
    const began = process.cpuUsage();
    const line = frames.line();
    const byte = Buffer.from('a');
    for (let sent = 0; sent < total - 1; sent += 1) stream.push(byte);
    stream.push(Buffer.from('\n'));
    assert.equal((await line)?.length, total - 1);
    const { user } = process.cpuUsage(began);
    assert.ok(user < 1_500_000, `took ${user / 1000} ms`);
    stream.destroy();
  });
});
