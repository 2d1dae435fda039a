import { open } from 'node:fs/promises';
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

/** How long a terminal recording is, from its timing file; nothing where a crash came before that file. */
export async function terminalDurationMs(path: string): Promise<number> {
  const timing = await open(path).catch((cause: NodeJS.ErrnoException) => {
    if (cause.code !== 'ENOENT') throw cause;
  });
  let total = 0;
  if (timing) for await (const { delayMs } of readTiming(timing.createReadStream())) total += delayMs;
  return total;
}
