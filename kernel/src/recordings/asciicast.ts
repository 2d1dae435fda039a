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
    width: Number(columns),
    height: Number(rows),
    timestamp: Math.floor(Date.parse(metadata.started) / 1000),
    duration: metadata.durationMs / 1000,
    title: `${metadata.user}@${metadata.resource}`,
    env: { TERM: String(term) },
  });
  const decoder = new StringDecoder('utf8');
  const pending = [...resizes];
  for await (const { atMs, data } of frames) {
    for (let resize = pending[0]; resize && resize.atMs <= atMs; resize = pending[0]) {
      yield JSON.stringify([resize.atMs / 1000, 'r', `${resize.columns}x${resize.rows}`]);
      pending.shift();
    }
    const text = decoder.write(data);
    if (text !== '') yield JSON.stringify([atMs / 1000, 'o', text]);
  }
  const rest = decoder.end();
  if (rest !== '') yield JSON.stringify([metadata.durationMs / 1000, 'o', rest]);
}
