import type net from 'node:net';

const lingerMs = 1000;

/**
 * Says the last words and closes. What the client still sends is thrown away
 * for up to a second: a socket that is closed over unread bytes is reset, and a
 * reset can overtake the words.
 */
export function hangUp(socket: net.Socket, lastWords?: Buffer): void {
  if (socket.destroyed) return;
  const timer = setTimeout(() => socket.destroy(), lingerMs).unref();
  socket.once('close', () => clearTimeout(timer));
  socket.resume();
  if (lastWords) socket.end(lastWords);
  else socket.end();
}
