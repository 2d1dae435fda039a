import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';

/** One chunk of terminal output: how long after the one before it, and how many bytes. */
export interface TimedChunk {
  readonly delayMs: number;
  readonly bytes: number;
}

/** Reads a timing file of script(1): "seconds bytes" lines. A torn last line, as a crash leaves it, ends the list. */
export async function* readTiming(timing: Readable): AsyncGenerator<TimedChunk> {
  for await (const line of createInterface({ input: timing, crlfDelay: Infinity })) {
    const match = /^(\d+(?:\.\d+)?) (\d+)$/.exec(line);
    if (!match?.[1] || !match[2]) return;
    yield { delayMs: Number(match[1]) * 1000, bytes: Number(match[2]) };
  }
}

export async function terminalDurationMs(timing: Readable): Promise<number> {
  let total = 0;
  for await (const { delayMs } of readTiming(timing)) total += delayMs;
  return total;
}
