import type net from 'node:net';
import { pipeline } from 'node:stream/promises';
import { PosternError } from '@postern/plugin-sdk';
import { listenLoopback, listenPrivately } from './local-listener.js';
import { connectTarget } from './proxy-stdio.js';
import { locate, type ProxyTarget } from './proxy-target.js';

export interface ProxyListenOptions {
  readonly cluster?: string;
  readonly socket?: string;
  readonly port?: number;
}

/** `psh proxy` without `--stdio`: serves local connections until Ctrl-C. */
export async function proxyListen(target: ProxyTarget, options: ProxyListenOptions): Promise<void> {
  const { profile, hostname } = await locate(target, options.cluster);
  const { data } = profile;
  if (new Date(data.expires) <= new Date())
    throw PosternError.public('expired', `your certificate expired at ${data.expires}; log in again: psh login`);
  const serve = (local: net.Socket): void => {
    local.on('error', () => {});
    connectTarget(target, profile, hostname)
      .then((remote) => Promise.all([pipeline(local, remote), pipeline(remote, local)]))
      .catch((cause: unknown) => {
        local.destroy();
        const { code, message } = cause as NodeJS.ErrnoException;
        // Either end may go at any time; only a refusal says something new.
        if (PosternError.is(cause)) process.stderr.write(`psh: ${message}\n`);
        else if (process.env['POSTERN_DEBUG'] === '1') process.stderr.write(`psh: ${code ?? ''} ${message}\n`);
      });
  };
  await using listener =
    options.socket === undefined
      ? await listenLoopback(portOf(options.port), serve)
      : await listenPrivately(options.socket, serve);
  process.stdout.write(`${hostname} is reached by ${listener.address}, by you alone. Stop with Ctrl-C.\n`);
  await stopped();
}

function portOf(port = 0): number {
  if (Number.isInteger(port) && port >= 0 && port <= 65_535) return port;
  throw PosternError.public('invalid_argument', '--port is a number up to 65535');
}

const stopped = (): Promise<void> =>
  new Promise((resolve) => {
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.once(signal, () => resolve());
  });
