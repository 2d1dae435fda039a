import { connect, createServer, type AddressInfo, type Socket } from 'node:net';
import { PosternError } from '../errors.js';
import type { Endpoint } from '../protocol.js';

/** A server that listens until it is closed, together with everything that is connected to it. */
export interface Loopback extends Endpoint {
  close(): Promise<void>;
}

/** Serves TCP on a free port of the loopback interface. Sockets may be half-open; their errors are ignored. */
export async function loopback(handle: (socket: Socket) => void): Promise<Loopback> {
  const open = new Set<Socket>();
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    open.add(socket);
    socket.on('error', () => {}).once('close', () => open.delete(socket));
    handle(socket);
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject).listen(0, '127.0.0.1', resolve);
  });
  const { port } = server.address() as AddressInfo;
  const close = (): Promise<void> =>
    new Promise((resolve) => {
      server.close(() => resolve());
      for (const socket of open) socket.destroy();
    });
  return { host: '127.0.0.1', port, close };
}

/** Connects as an agent does: half-open, and with `upstream_unreachable` where nobody answers. */
export function dialTcp(endpoint: Endpoint): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const { host, port } = endpoint;
    const socket = connect({ host, port, allowHalfOpen: true, noDelay: true });
    socket.once('connect', () => resolve(socket));
    socket.on('error', (cause) =>
      reject(
        new PosternError('upstream_unreachable', `cannot connect to ${host}:${port}: ${cause.message}`, { cause }),
      ),
    );
  });
}
