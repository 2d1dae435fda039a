import { PosternError } from '@postern/plugin-sdk';
import type net from 'node:net';
import { openingLimits, SocketOpening } from './opening.js';
import { maxAnswer, routePreamble } from './preamble.js';

/**
 * The client's side of the route preamble: asks a public port for `name` and
 * resolves when its owner has the stream. The socket is then paused and yields
 * the owner's bytes. Rejects with `unavailable` and the port's own words where
 * it says no; the socket is the caller's to destroy.
 */
export async function requestRoute(socket: net.Socket, name: string, deadlineMs = 20_000): Promise<void> {
  const preamble = routePreamble(name);
  const opening = new SocketOpening(socket, { maxBytes: openingLimits.maxBytes, deadlineMs });
  try {
    await opening.write(preamble);
    const answer = await readLine(opening);
    const refusal = routeAnswer(name, answer);
    if (refusal) throw refusal;
    opening.release();
  } catch (cause) {
    const error = PosternError.from(cause);
    opening.fail(error);
    throw error.code === 'aborted'
      ? PosternError.public('unavailable', `the proxy closed the connection to ${name} without an answer`, cause)
      : error;
  }
}

async function readLine(opening: SocketOpening): Promise<string> {
  for (;;) {
    const end = opening.peek().subarray(0, maxAnswer).indexOf('\n');
    if (end >= 0) return opening.take(end + 1).toString('latin1', 0, end);
    if (opening.peek().length >= maxAnswer)
      throw PosternError.public('protocol_violation', 'this is not the port of a Postern proxy');
    await opening.more();
  }
}

/** What a line of answer means: nothing where the stream of the name's owner follows, else the error. */
export function routeAnswer(name: string, line: string): PosternError | undefined {
  const answer = line.replace(/\n$/, '');
  if (answer === 'ok') return undefined;
  const text = /^error ([\x20-\x7e]+)$/.exec(answer)?.[1];
  const message = text === undefined ? 'this is not the port of a Postern proxy' : `the proxy refused ${name}: ${text}`;
  return PosternError.public('unavailable', message);
}
