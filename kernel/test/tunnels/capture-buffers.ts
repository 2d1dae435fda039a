import net from 'node:net';

type Chunk = string | Buffer | Uint8Array;
type Write = (this: net.Socket, data: Chunk, encoding: BufferEncoding, done: (error?: Error | null) => void) => void;
type Writev = (this: net.Socket, chunks: { chunk: Chunk; encoding: BufferEncoding }[], done: () => void) => void;
type Push = (this: net.Socket, chunk: Chunk | null, encoding?: BufferEncoding) => boolean;
interface Methods {
  _write: Write;
  _writev: Writev;
  push: Push;
  unshift: Push;
}

/**
 * Shows every buffer that any socket of this process reads or writes to
 * `see`, until the returned function is called. Sockets that end TLS show what
 * is inside it: leave them out by `of` where they are not what is examined.
 */
export function captureBuffers(
  see: (data: Buffer) => void,
  of: (socket: net.Socket) => boolean = () => true,
): () => void {
  const sockets = net.Socket.prototype as unknown as Methods;
  const { _write, _writev, push, unshift } = sockets;
  const had = Object.keys(net.Socket.prototype);
  const show = (socket: net.Socket, chunk: Chunk | null, encoding?: BufferEncoding): void => {
    if (chunk !== null && of(socket))
      see(typeof chunk === 'string' ? Buffer.from(chunk, encoding) : Buffer.from(chunk));
  };
  sockets._write = function (data, encoding, done) {
    show(this, data, encoding);
    _write.call(this, data, encoding, done);
  };
  sockets._writev = function (chunks, done) {
    for (const { chunk, encoding } of chunks) show(this, chunk, encoding);
    _writev.call(this, chunks, done);
  };
  sockets.push = function (chunk, encoding) {
    show(this, chunk, encoding);
    return push.call(this, chunk, encoding);
  };
  sockets.unshift = function (chunk, encoding) {
    show(this, chunk, encoding);
    return unshift.call(this, chunk, encoding);
  };
  return () => {
    Object.assign(sockets, { _write, _writev, push, unshift });
    for (const name of ['push', 'unshift'] as const) if (!had.includes(name)) Reflect.deleteProperty(sockets, name);
  };
}
