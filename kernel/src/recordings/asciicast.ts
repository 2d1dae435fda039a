import { StringDecoder } from 'node:string_decoder';
import type { RecordingMetadata } from './metadata.js';
import type { TerminalFrame } from './terminal-frames.js';

/** A `resize` mark of a terminal recording. */
export interface TerminalResize {
  readonly atMs: number;
  readonly columns: number;
  readonly rows: number;
}

/**
 * Yields a terminal recording as asciicast v2 lines
 * (docs.asciinema.org/manual/asciicast/v2). Characters that were split between
 * two chunks are put together again.
 */
export async function* asciicast(
  metadata: RecordingMetadata,
  frames: AsyncIterable<TerminalFrame>,
  resizes: readonly TerminalResize[],
): AsyncGenerator<string> {
  const {
    columns = 80,
    rows = 24,
    term = 'xterm-256color',
  } = metadata.header as Partial<Record<string, string | number>>;
  yield JSON.stringify({
    version: 2,
    width: Number(columns) || 80,
    height: Number(rows) || 24,
    timestamp: Math.floor(Date.parse(metadata.started) / 1000),
    duration: metadata.durationMs / 1000,
    title: `${metadata.user}@${metadata.resource}`,
    env: { TERM: String(term) },
  });
  const decoder = new StringDecoder('utf8');
  const pending = [...resizes].sort((a, b) => a.atMs - b.atMs);
  let lastMs = 0;
  for await (const { atMs, data } of frames) {
    const due = pending.findIndex((resize) => resize.atMs > atMs);
    yield* pending.splice(0, due < 0 ? pending.length : due).map(resized);
    const text = decoder.write(data);
    if (text !== '') yield event(atMs, 'o', text);
    lastMs = atMs;
  }
  yield* pending.map(resized);
  const rest = decoder.end();
  if (rest !== '') yield event(Math.max(lastMs, pending.at(-1)?.atMs ?? 0, metadata.durationMs), 'o', rest);
}

/** Times are summed up from what a file of script(1) says in decimals: no finer than its microseconds. */
const event = (atMs: number, code: 'o' | 'r', data: string): string =>
  JSON.stringify([Math.round(atMs * 1000) / 1_000_000, code, data]);

const resized = ({ atMs, columns, rows }: TerminalResize): string => event(atMs, 'r', `${columns}x${rows}`);
