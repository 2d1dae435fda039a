import type { Readable, Writable } from 'node:stream';
import { PosternError, type Hold } from '@postern/plugin-sdk';
import { ChannelStream } from './channel-stream.js';
import { PipeOutput } from './pipe-output.js';
import { isPlainSocket } from './spent-memory.js';

/** Sees each piece before it goes on; a promise holds it, and all that follows, until it settles. Keeps none. */
export type PumpTap = (data: Buffer) => Hold;

/**
 * Moves data one way until the source ends, is closed, or the sink is gone. It
 * never reads faster than the sink and the tap allow, and it does not end the
 * sink. Resolves when the last piece was handed over; rejects only with what
 * the tap failed with.
 */
export function pump(source: Readable, sink: Writable, tap?: PumpTap): Promise<void> {
  return new Promise((resolve, reject) => {
    let held = false;
    let over = false;

    const settle = (cause?: unknown): void => {
      source.off('data', onData).off('end', onOver).off('close', onOver);
      sink.off('drain', goOn).off('close', onSinkClosed);
      if (cause === undefined) return resolve();
      source.pause();
      reject(PosternError.from(cause));
    };
    const goOn = (): void => {
      if (!held && !sink.writableNeedDrain) source.resume();
    };
    const pass = (data: Buffer): void => {
      if (!handOn(data, source, sink)) source.pause();
    };
    const onData = (data: Buffer): void => {
      let hold: Hold;
      try {
        hold = tap?.(data);
      } catch (cause) {
        return settle(cause);
      }
      if (!(hold instanceof Promise)) return pass(data);
      held = true;
      source.pause();
      hold.then(() => {
        held = false;
        pass(data);
        if (over) settle();
        else goOn();
      }, settle);
    };
    const onOver = (): void => {
      over = true;
      if (!held) settle();
    };
    const onSinkClosed = (): void => {
      // The source must not wait for a sink that will never drain: what comes now is thrown away.
      source.off('data', onData);
      settle();
      source.resume();
    };

    source.on('data', onData).once('end', onOver).once('close', onOver);
    sink.on('drain', goOn).once('close', onSinkClosed);
    if (source.readableEnded || source.destroyed) onOver();
    else if (sink.destroyed) onSinkClosed();
    else goOn();
  });
}

/** False where the sink has enough. */
function handOn(data: Buffer, source: Readable, sink: Writable): boolean {
  const more = sink.destroyed || sink.write(data);
  if (sink.writableLength > 0) return more;
  if (source instanceof PipeOutput) source.recycle(data);
  else if (source instanceof ChannelStream && isPlainSocket(sink)) source.recycle(data);
  return more;
}
