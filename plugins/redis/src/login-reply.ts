import type { Duplex } from 'node:stream';
import { PosternError, write } from '@postern/plugin-sdk';
import Parser from 'redis-parser';

/** A greeting or the reply to a login is short. */
const longestReply = 65_536;

/**
 * Sends a command on a connection that says nothing else, and resolves with its
 * reply as text, also where that is an error. Rejects with
 * `upstream_unreachable` where the server sends anything but one reply.
 */
export async function readReply(stream: Duplex, command: Buffer): Promise<string> {
  return new Promise<string>((resolve, reject) => {
    let received = 0;
    const settle = (finish: () => void): void => {
      stream.off('data', onData).off('close', onClose).off('end', onClose);
      stream.pause();
      finish();
    };
    const broken = (what: string): void =>
      settle(() =>
        reject(new PosternError('upstream_unreachable', what, { publicMessage: 'the server broke the protocol' })),
      );
    const replies: string[] = [];
    const parser = new Parser({
      returnReply: (reply) => void replies.push(String(reply)),
      returnError: (error) => void replies.push(error.message),
      returnFatalError: (error) => broken(`the server does not speak the protocol: ${error.message}`),
    });
    const onData = (chunk: Buffer): void => {
      received += chunk.length;
      if (received > longestReply) return broken('the reply of the server is too long');
      parser.execute(chunk);
      const [reply] = replies;
      if (replies.length > 1) broken('the server answers what it was not asked');
      else if (reply !== undefined) settle(() => resolve(reply));
    };
    const onClose = (): void => broken('the server closed the connection instead of answering');
    stream.on('data', onData).once('close', onClose).once('end', onClose);
    write(stream, command).catch(() => onClose());
  });
}
