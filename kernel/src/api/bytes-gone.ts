import type net from 'node:net';

/**
 * Bytes that a socket has handed to the system so far. `bytesWritten` counts
 * those that wait too, and TLS makes one write of however much there is; how
 * much of it waits only the handle knows, as for Node's own time-outs.
 */
export function bytesGone(socket: net.Socket): number {
  const { _handle: handle } = socket as unknown as { readonly _handle?: { readonly writeQueueSize?: number } | null };
  return socket.bytesWritten - (handle?.writeQueueSize ?? 0);
}
