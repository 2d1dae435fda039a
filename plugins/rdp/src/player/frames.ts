import { PosternError, type RecordedSession } from '@postern/plugin-sdk';
import { Malformed } from '../bytes.js';
import { Desktop } from './desktop.js';

/** The picture after one entry. The screen's memory is used again. */
export interface Moment {
  readonly ms: number;
  readonly desktop: Desktop;
  readonly changed: boolean;
}

/** Plays a recording, up to and with the moment `endMs`, as fast as it can be read. Rejects with `invalid_argument` for one that cannot be drawn. */
export async function* moments(
  session: RecordedSession,
  signal: AbortSignal,
  endMs = Number.POSITIVE_INFINITY,
): AsyncGenerator<Moment> {
  const desktop = new Desktop();
  for await (const { ms, out } of session.entries()) {
    signal.throwIfAborted();
    if (ms > endMs) return;
    if (out === undefined) continue;
    try {
      const changed = desktop.feed(Buffer.from(out, 'base64')).some(({ kind }) => kind !== 'unknown');
      yield { ms, desktop, changed };
    } catch (cause) {
      if (!(cause instanceof Malformed)) throw cause;
      throw PosternError.public('invalid_argument', `the recording is damaged at ${ms} ms: ${cause.message}`, cause);
    }
  }
}
