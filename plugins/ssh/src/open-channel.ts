import { PosternError } from '@postern/plugin-sdk';
import type { ServerChannel } from 'ssh2';
import { ChannelStream } from './channel-stream.js';
import type { ChannelInternals } from './ssh2-internals.js';
import type { Transport } from './transport.js';

const answerMs = 30_000;
const window = 2 * 1024 * 1024;
const packetSize = 32 * 1024;

type Callback = (cause: Error | undefined, channel: ServerChannel) => void;

/**
 * Opens a channel to the client: `ask` begins it, with a callback. Rejects with
 * `unavailable` when the client refuses, does not answer, or is gone, and with
 * `limit_exceeded` when `limit` channels are open.
 */
export function openChannel(
  transport: Transport,
  limit: number,
  ask: (callback: Callback) => void,
): Promise<ChannelStream> {
  if (!transport.alive) return Promise.reject(new PosternError('unavailable', 'the client is gone'));
  if (transport.inside._chanMgr._count >= limit)
    return Promise.reject(new PosternError('limit_exceeded', 'too many channels are open'));
  return new Promise((resolve, reject) => {
    let late = false;
    const timer = setTimeout(() => {
      late = true;
      reject(new PosternError('unavailable', 'the client does not answer'));
    }, answerMs);
    timer.unref();
    ask((cause, channel) => {
      clearTimeout(timer);
      if (cause) return reject(new PosternError('unavailable', 'the client refused a channel', { cause }));
      const stream = new ChannelStream(transport, channel as unknown as ChannelInternals);
      if (late) return void stream.destroy();
      resolve(stream);
    });
  });
}

/** Asks for a channel to the client's ssh-agent: ssh2 can write the message, but has no call for it. */
export function askForAgent(transport: Transport): (callback: Callback) => void {
  return (callback) => {
    const { inside } = transport;
    const waiting = Object.assign((cause: Error | undefined, channel: ServerChannel) => callback(cause, channel), {
      type: 'auth-agent@openssh.com',
    });
    inside._protocol.openssh_authAgent(inside._chanMgr.add(waiting), window, packetSize);
  };
}
