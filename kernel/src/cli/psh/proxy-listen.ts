import { PosternError, type LocalAddress } from '@postern/plugin-sdk';
import { openForward, type ForwardAt } from './forward.js';
import { locate, type ProxyTarget } from './proxy-target.js';

export interface ProxyListenOptions {
  readonly cluster?: string;
  readonly socket?: string;
  readonly port?: number;
}

/** `psh proxy` without `--stdio`: serves local connections until Ctrl-C. */
export async function proxyListen(target: ProxyTarget, options: ProxyListenOptions): Promise<void> {
  const located = await locate(target, options.cluster);
  const usual = located.profile.socketOf(target.kind, target.name);
  await using listener = await openForward(target, located, whereTo(target, options, usual));
  process.stdout.write(
    `${located.hostname} is reached by ${addressText(listener.address)}, by you alone. Stop with Ctrl-C.\n`,
  );
  await stopped();
}

function whereTo({ transport }: ProxyTarget, { socket, port }: ProxyListenOptions, usual: string): ForwardAt {
  if (socket !== undefined) return { socket };
  // Where native clients need a socket, their configuration names the usual one.
  if (port === undefined && transport?.kind === 'tls' && transport.forward === 'socket') return { socket: usual };
  return { port: portOf(port) };
}

function portOf(port = 0): number {
  if (Number.isInteger(port) && port >= 0 && port <= 65_535) return port;
  throw PosternError.public('invalid_argument', '--port is a number up to 65535');
}

const addressText = (address: LocalAddress): string =>
  address.kind === 'socket' ? address.path : `${address.host}:${address.port}`;

const stopped = (): Promise<void> =>
  new Promise((resolve) => {
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.once(signal, () => resolve());
  });
