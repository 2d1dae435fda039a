import { createServer, type ListenOptions, type Server, type Socket } from 'node:net';
import { relay } from '@postern/plugin-sdk';
import type { ChannelStream } from './channel-stream.js';

/** A socket of the node that leads to the client. */
export interface Listener {
  /** 0 for a socket in the file system. */
  readonly port: number;
  /** Closes it, and the connections that came through it. */
  close(): Promise<void>;
}

export type OpenForSocket = (socket: Socket) => Promise<ChannelStream>;

/** Listens, and joins each connection to the channel that `open` gives for it. Rejects where the address is taken. */
export async function startListener(options: ListenOptions, open: OpenForSocket): Promise<Listener> {
  const sockets = new Set<Socket>();
  const server = createServer({ allowHalfOpen: true, noDelay: true }, (socket) => {
    sockets.add(socket);
    socket.on('error', () => {});
    socket.once('close', () => sockets.delete(socket));
    void joinToClient(socket, open);
  });
  await listening(server, options);
  const address = server.address();
  return {
    port: typeof address === 'object' && address !== null ? address.port : 0,
    close: async () => {
      for (const socket of sockets) socket.destroy();
      await new Promise<void>((resolve) => server.close(() => resolve()));
    },
  };
}

function listening(server: Server, options: ListenOptions): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(options, () => {
      server.off('error', reject);
      // A failed accept concerns one connection; the others go on.
      server.on('error', () => {});
      resolve();
    });
  });
}

/** Never rejects: a connection that fails is closed, and its peer cannot be told more. */
async function joinToClient(socket: Socket, open: OpenForSocket): Promise<void> {
  let channel: ChannelStream | undefined;
  try {
    channel = await open(socket);
    await relay(channel, socket);
  } catch {
    // Both ends are closed below.
  } finally {
    channel?.destroy();
    socket.destroy();
  }
}
