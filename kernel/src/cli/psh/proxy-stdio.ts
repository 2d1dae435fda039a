import net from 'node:net';
import { once } from 'node:events';
import type { Duplex } from 'node:stream';
import { requestRoute } from '../../tunnels/route-request.js';
import { unreachable } from '../profile/unreachable.js';
import type { Profile } from '../profile/profile.js';
import { locate, type ProxyTarget } from './proxy-target.js';

export interface ProxyStdioOptions {
  readonly cluster?: string;
  /** Hand the connection itself over, where that is possible. */
  readonly handOver?: boolean;
}

/**
 * `psh proxy … --stdio`: what native clients run to be connected. Resolves when
 * the other end has closed, or has the connection itself. Loads as little as it
 * can: people wait for it.
 */
export async function proxyStdio(target: ProxyTarget, options: ProxyStdioOptions): Promise<void> {
  const { profile, hostname } = await locate(target, options.cluster);
  // Native clients that may ask nothing show no more of a refusal than that it was one.
  profile.assureValid();
  if (options.handOver === true && (await handedOver(target, profile, hostname))) return;
  const socket = await connectTarget(target, profile, hostname);
  const gone = (): void => void socket.destroy();
  process.stdin.on('error', gone);
  process.stdout.on('error', gone);
  // The end of our input is passed on, and the answer to it still comes; the end of theirs is the end.
  process.stdin.pipe(socket);
  socket.pipe(process.stdout, { end: false });
  await new Promise<void>((resolve) => void socket.once('end', resolve).once('close', resolve));
  process.stdin.destroy();
  socket.destroy();
}

/** A connection inside our TLS cannot be given away. */
async function handedOver({ transport }: ProxyTarget, { data }: Profile, hostname: string): Promise<boolean> {
  if (transport?.kind !== 'native') return false;
  const { handOver, mayHandOver } = await import('./hand-over.js');
  try {
    if (!mayHandOver() || !(await handOver(data.proxy, hostname))) return false;
  } catch (cause) {
    // Reading from it would keep this program, and whoever waits for its end.
    process.stdin.destroy();
    throw cause;
  }
  // What still holds the connection here is this process.
  process.exit(0);
}

/** A stream in the target's own protocol: raw where that is encrypted by itself, else inside our TLS. */
export async function connectTarget({ transport }: ProxyTarget, profile: Profile, hostname: string): Promise<Duplex> {
  if (transport?.kind === 'native') return connectRoute(profile.data.proxy, hostname);
  const { connectTls } = await import('../profile/tls-connection.js');
  const { credentialsOf } = await import('../profile/auth-connection.js');
  const { alpn } = transport ?? {};
  const { proxy } = profile.data;
  const socket = await connectTls({
    proxy,
    servername: hostname,
    ...(alpn && { alpn }),
    ...(await credentialsOf(profile.files)),
  });
  socket.on('error', () => {});
  return socket;
}

async function connectRoute(proxy: Profile['data']['proxy'], hostname: string): Promise<net.Socket> {
  const socket = net.connect({ ...proxy, allowHalfOpen: true, noDelay: true });
  try {
    await once(socket, 'connect');
  } catch (cause) {
    throw unreachable(proxy, cause as Error);
  }
  socket.on('error', () => {});
  try {
    await requestRoute(socket, hostname);
  } catch (cause) {
    socket.destroy();
    throw cause;
  }
  return socket;
}
