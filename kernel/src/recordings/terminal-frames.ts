import type { Readable } from 'node:stream';
import { FrameReader, PosternError } from '@postern/plugin-sdk';
import { readTiming } from './timing.js';

/** A piece of a terminal recording, ready to be shown at its time. */
export interface TerminalFrame {
  /** Since the start of the recording. */
  readonly atMs: number;
  readonly data: Buffer;
}

/** Longer chunks than any writer makes mean that the timing is not a timing. */
const chunkLimit = 64 * 1024 * 1024;

/**
 * Joins `output` and `timing` again. What a crash left without timing comes
 * last, at the last time; what it left of a chunk whose end is missing, too.
 */
export async function* terminalFrames(output: Readable, timing: Readable): AsyncGenerator<TerminalFrame> {
  const bytes = new FrameReader(output, chunkLimit);
  await bytes.line(); // The first line is script(1)'s, not the terminal's.
  let atMs = 0;
  for await (const chunk of readTiming(timing)) {
    const data = await bytes.bytes(chunk.bytes).catch(undefinedAtEnd);
    if (!data) break;
    atMs += chunk.delayMs;
    yield { atMs, data };
  }
  for (let rest = await some(bytes); rest; rest = await some(bytes)) yield { atMs, data: rest };
}

/** Whatever there is, at least a byte; nothing at the end. */
async function some(bytes: FrameReader): Promise<Buffer | undefined> {
  const first = await bytes.bytes(1).catch(undefinedAtEnd);
  return first && Buffer.concat([first, await bytes.bytes(bytes.peek().length)]);
}

function undefinedAtEnd(cause: unknown): undefined {
  if (!PosternError.is(cause) || cause.code !== 'protocol_violation') throw cause;
}
