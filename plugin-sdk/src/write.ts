import type { Writable } from 'node:stream';
import { PosternError } from './errors.js';

/** Writes, and waits while the other side is slow. Rejects with `aborted` when it goes away meanwhile. */
export function write(stream: Writable, data: string | Buffer): Promise<void> {
  return new Promise((resolve, reject) => {
    if (stream.destroyed) return reject(new PosternError('aborted', 'the stream is closed'));
    const onClose = (): void => reject(new PosternError('aborted', 'the stream was closed before it took the data'));
    stream.once('close', onClose);
    stream.write(data, (cause) => {
      stream.off('close', onClose);
      if (cause) reject(new PosternError('aborted', 'the stream refused the data', { cause }));
      else resolve();
    });
  });
}
