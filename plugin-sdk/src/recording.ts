import type { Hold } from './audit.js';

/**
 * How a recording is kept. `terminal`: raw output beside a timing file, which
 * `cat` and `scriptreplay` play. `lines`: one JSON object to a line. `packets`:
 * the same, compressed (Brotli, RFC 7932), for protocols of many large packets.
 */
export type RecordingFormat = 'terminal' | 'lines' | 'packets';

/** One recording of one session. The kernel stamps the time, bounds the memory, and stores it. */
export interface Recording {
  /**
   * Takes what the user saw (`out`) or typed (`in`). Returns a promise only
   * when the recorder's bounded buffer is full: wait for it before forwarding
   * more, so that a session never outruns its recorder.
   */
  write(direction: 'in' | 'out', data: Buffer): Hold;
  /** Notes something that is not data: `resize`, a command's start. */
  mark(name: string, fields: Readonly<Record<string, unknown>>): Hold;
  /** Resolves once everything is stored. The kernel closes what the session left open. */
  close(): Promise<void>;
}
