import { WebSocket, type ClientOptions } from 'ws';

/** A WebSocket that is open. Rejects where it is refused. */
export async function openWebSocket(url: string, options: ClientOptions & Readonly<Record<string, unknown>>) {
  const socket = new WebSocket(url, options);
  await new Promise((resolve, reject) => socket.once('open', resolve).once('error', reject));
  return socket;
}
