import type { Duplex } from 'node:stream';
import { within } from './deadline.js';

/** Ends a stream and lets what was written reach the other side, then destroys it; all within `ms`. */
export async function sayGoodbye(stream: Duplex, ms: number): Promise<void> {
  if (!stream.destroyed && !stream.writableFinished) {
    const flushed = new Promise<void>((resolve) => {
      stream.once('close', resolve);
      stream.end(() => resolve());
    });
    await within(flushed, ms).catch(() => {});
  }
  stream.destroy();
}
