import childProcess from 'node:child_process';
import { once } from 'node:events';
import { fstatSync } from 'node:fs';
import net from 'node:net';
import { PosternError } from '@postern/plugin-sdk';
import { maxAnswer, routePreamble } from '../../tunnels/preamble.js';
import { routeAnswer } from '../../tunnels/route-request.js';
import { unreachable } from '../profile/unreachable.js';

type Address = { readonly host: string; readonly port: number };

const output = 1;
const answerMs = 20_000;

/**
 * True where whoever started this program may be waiting for a descriptor: its
 * end of our output is a socket, which alone can carry one, and it has said
 * nothing. One that wants a stream speaks at once.
 */
export function mayHandOver(): boolean {
  if (!fstatSync(output).isSocket()) return false;
  process.stdin.on('error', () => {}).read(0);
  return process.stdin.readableLength === 0;
}

/**
 * Asks the proxy for a route and gives the connection itself to whoever waits
 * at our standard output: one byte and a descriptor (unix(7), SCM_RIGHTS).
 * Nothing of what follows the proxy's answer has been read. False where the
 * other end turned out to want a stream. Rejects with `unavailable`.
 */
export async function handOver(proxy: Address, name: string): Promise<boolean> {
  const socket = await askForRoute(proxy, name);
  if (!mayHandOver()) {
    socket.destroy();
    return false;
  }
  await send(socket);
  return true;
}

/** Reads the answer byte by byte: what is behind it belongs to the connection's next owner. */
function askForRoute(proxy: Address, name: string): Promise<net.Socket> {
  return new Promise((resolve, reject) => {
    let answer = '';
    const fail = (cause: Error): void => {
      clearTimeout(timer);
      socket.destroy();
      reject(cause);
    };
    const onByte = (count: number, data: Uint8Array): boolean => {
      answer += String.fromCharCode(...data.subarray(0, count));
      if (!answer.endsWith('\n') && answer.length < maxAnswer) return true;
      clearTimeout(timer);
      socket.off('end', onEnd).off('error', onError);
      const refusal = routeAnswer(name, answer);
      if (refusal) fail(refusal);
      else resolve(socket);
      return false;
    };
    const socket = net.connect({ ...proxy, noDelay: true, onread: { buffer: Buffer.alloc(1), callback: onByte } });
    const onError = (cause: Error): void => fail(unreachable(proxy, cause));
    const onEnd = (): void =>
      fail(PosternError.public('unavailable', `the proxy closed the connection to ${name} without an answer`));
    const timer = setTimeout(() => fail(PosternError.public('timeout', 'no answer in time')), answerMs);
    socket.once('error', onError).once('end', onEnd);
    socket.write(routePreamble(name));
  });
}

interface Channel {
  /** Makes a descriptor the channel of `process.send`, as Node does at its start with the one that its parent names. */
  readonly _forkChild?: (descriptor: number, serialization: 'json') => void;
}

/**
 * Node sends descriptors to other processes of Node alone, in messages of its
 * own. But whoever waits for one reads a single byte with it, and the rest of
 * the message goes away with the socket pair.
 */
function send(socket: net.Socket): Promise<void> {
  if (!openChannel()) return sendByChild(socket);
  return new Promise((resolve, reject) => {
    process.send?.('', socket, { keepOpen: true }, (cause) => (cause ? reject(cause) : resolve()));
  });
}

/** False, with nothing written, in a version of Node without this part of its inside, which is documented nowhere. */
function openChannel(): boolean {
  try {
    (childProcess as Channel)._forkChild?.(output, 'json');
    return process.send !== undefined;
  } catch {
    return false;
  }
}

const childProgram = `
const socket = new (require('node:net').Socket)({ fd: 3 });
process.send('', socket, { keepOpen: true }, (cause) => process.exit(cause ? 1 : 0));`;

/** The same in the way that is documented (NODE_CHANNEL_FD), which takes as long as another process does to start. */
async function sendByChild(socket: net.Socket): Promise<void> {
  const env = { ...process.env, NODE_CHANNEL_FD: String(output) };
  const child = childProcess.spawn(process.execPath, ['-e', childProgram], {
    stdio: ['ignore', output, 'inherit', socket],
    env,
  });
  const [code] = (await once(child, 'exit')) as [number | null];
  if (code !== 0)
    throw PosternError.public(
      'unavailable',
      'this version of Node cannot hand a connection over: connect with the option ProxyUseFdpass=no',
    );
}
