import type { Readable } from 'node:stream';
import { PosternError } from '@postern/plugin-sdk';
import { HeadCollector } from '@postern/plugin-sdk/http1';

/** A connection's first head, and everything that was read to find it. */
export interface FirstHead {
  readonly head: Buffer;
  readonly read: Buffer;
}

/**
 * Reads as far as the end of the first head, and then no further. Rejects with
 * HttpRefusal for what is none, and with `aborted` where the client goes away.
 */
export function firstHead(stream: Readable): Promise<FirstHead> {
  const collector = new HeadCollector();
  const read: Buffer[] = [];
  return new Promise((resolve, reject) => {
    const stop = (): void => {
      stream.pause();
      stream.off('data', onData).off('end', onEnd).off('close', onEnd).off('error', onEnd);
    };
    const onEnd = (): void => {
      stop();
      reject(new PosternError('aborted', 'the client went away before its first request'));
    };
    const onData = (chunk: Buffer): void => {
      read.push(chunk);
      try {
        const found = collector.take(chunk);
        if (!found) return;
        stop();
        resolve({ head: found.head, read: Buffer.concat(read) });
      } catch (cause) {
        stop();
        reject(cause instanceof Error ? cause : new PosternError('internal', String(cause)));
      }
    };
    if (stream.readableEnded || stream.destroyed) return onEnd();
    stream.on('data', onData).once('end', onEnd).once('close', onEnd).once('error', onEnd).resume();
  });
}
