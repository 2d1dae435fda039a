import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { Writable } from 'node:stream';
import { setImmediate as turn } from 'node:timers/promises';
import { openPipes } from '../src/pipes.js';
import type { PipeOutput } from '../src/pipe-output.js';
import { pump } from '../src/pump.js';
import { testLogin } from './support/account.js';

const megabytes = 8;
/** Numbered lines, so that a piece that is overwritten or lost is seen. */
const numbers = ['-c', `seq 1 2000000 | head -c ${megabytes * 1024 * 1024}`];

const digest = (pieces: readonly Buffer[]): string => {
  const hash = createHash('sha256');
  for (const piece of pieces) hash.update(piece);
  return hash.digest('hex');
};

async function expected(): Promise<string> {
  const child = spawn('sh', numbers, { stdio: ['ignore', 'pipe', 'ignore'] });
  const pieces: Buffer[] = [];
  child.stdout.on('data', (data: Buffer) => pieces.push(data));
  await once(child, 'close');
  return digest(pieces);
}

interface Started {
  readonly stdout: PipeOutput;
  readonly ended: Promise<unknown>;
}

async function start(args: readonly string[]): Promise<Started> {
  const pipes = await openPipes(await testLogin());
  const ended = once(spawn('sh', [...args], { stdio: [...pipes.ends] }), 'close');
  await pipes.handOver();
  pipes.stdin.destroy();
  pipes.stderr.destroy();
  return { stdout: pipes.stdout, ended };
}

describe('the output of a program', () => {
  it('is the same through memory that is used again', async () => {
    const { stdout } = await start(numbers);
    const memory = new Set<ArrayBufferLike>();
    const hash = createHash('sha256');
    const sink = new Writable({
      highWaterMark: 1024 * 1024,
      write: (data: Buffer, _, done) => {
        memory.add(data.buffer);
        hash.update(data);
        done();
      },
    });
    await pump(stdout, sink);
    assert.equal(hash.digest('hex'), await expected());
    assert.ok(memory.size <= 3, `${memory.size} pieces of memory for ${megabytes} MB`);
  });

  it('is the same for a reader who keeps all of it, and one who takes turns', async () => {
    for (const keeps of [() => true, (piece: number) => piece % 3 === 0]) {
      const { stdout } = await start(numbers);
      const pieces: Buffer[] = [];
      const sink = new Writable({
        highWaterMark: 128 * 1024,
        write: (data: Buffer, _, done) => {
          const kept = keeps(pieces.length);
          pieces.push(kept ? data : Buffer.from(data));
          // What is not answered at once is held.
          if (kept) void turn().then(() => done());
          else done();
        },
      });
      await pump(stdout, sink);
      sink.end();
      await once(sink, 'finish');
      assert.equal(digest(pieces), await expected());
    }
  });

  it('is the same behind a tap that holds', async () => {
    const { stdout } = await start(numbers);
    const hash = createHash('sha256');
    let pieces = 0;
    const sink = new Writable({
      write: (data: Buffer, _, done) => {
        hash.update(data);
        done();
      },
    });
    await pump(stdout, sink, () => (pieces++ % 2 === 0 ? turn() : undefined));
    assert.equal(hash.digest('hex'), await expected());
  });

  it('ends with the program, however little there was', async () => {
    const { stdout } = await start(['-c', 'printf x']);
    const pieces: Buffer[] = [];
    for await (const data of stdout) pieces.push(data as Buffer);
    assert.equal(Buffer.concat(pieces).toString(), 'x');
  });

  it('is given up when nobody wants it', async () => {
    const { stdout, ended } = await start(['-c', 'exec cat /dev/zero']);
    await once(stdout, 'readable');
    stdout.destroy();
    await ended;
  });
});
