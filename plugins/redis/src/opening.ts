import type { Duplex } from 'node:stream';
import { PosternError } from '@postern/plugin-sdk';
import { CommandReader, tooLong } from './command-reader.js';

/** A login is short; whoever begins with something long names no user in it. */
const longestLogin = 4096;

export interface Opening {
  /** All that was read, to be relayed. */
  readonly read: Buffer;
  /** Whom the client asked to be. */
  readonly user: string | undefined;
}

/**
 * Waits for a client's first command, and learns from it whom the client wants
 * to be: from `AUTH user password` or `HELLO 3 AUTH user password`. A client
 * that begins otherwise wants to be nobody in particular.
 */
export async function wantedUser(stream: Duplex): Promise<Opening> {
  const reader = new CommandReader(longestLogin);
  let data = Buffer.alloc(0);
  for (let at = 0; ;) {
    const step = reader.next(data, at);
    at = step?.at ?? data.length;
    const says = step !== undefined && ['auth', 'hello'].includes(reader.head.name);
    if (step && (step.kind === 'complete' || !says))
      return { read: data, user: says && reader.whole ? userIn(reader.head.name, reader.kept) : undefined };
    if (step) continue;
    if (data.length > longestLogin) throw tooLong('the first command');
    data = Buffer.concat([data, await chunkOf(stream)]);
  }
}

function userIn(name: string, words: readonly Buffer[]): string | undefined {
  if (name === 'auth') return words.length === 3 ? words[1]?.toString() : undefined;
  const at = words.findIndex((word, index) => index >= 2 && word.toString('latin1').toLowerCase() === 'auth');
  return at > 0 && at + 2 < words.length ? words[at + 1]?.toString() : undefined;
}

/** The next chunk. The stream is paused again afterwards. */
function chunkOf(stream: Duplex): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const settle = (finish: () => void): void => {
      stream.off('data', onData).off('end', onEnd).off('close', onEnd).off('error', onEnd);
      stream.pause();
      finish();
    };
    const onData = (chunk: Buffer): void => settle(() => resolve(chunk));
    const onEnd = (): void => settle(() => reject(new PosternError('aborted', 'the client left without a command')));
    if (stream.destroyed || stream.readableEnded) return onEnd();
    stream.on('data', onData).once('end', onEnd).once('close', onEnd).once('error', onEnd).resume();
  });
}
