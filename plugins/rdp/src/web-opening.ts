import { createServer } from 'node:http';
import { Duplex } from 'node:stream';
import { FrameReader, PosternError, type Denial } from '@postern/plugin-sdk';
import { WebSocket, WebSocketServer } from 'ws';
import { elementLength } from './der.js';
import { checked, type ClientOpening } from './opening.js';
import { cleanPathFailure, cleanPathResponse, maxCleanPathBytes, readCleanPath } from './rd-clean-path.js';
import { pduLength } from './wire.js';
import { connectionConfirm, readConnectionRequest, security } from './x224.js';

/** The longest message of a browser. PDUs are never longer; it sends several at once. */
const maxMessage = 1 << 20;

/**
 * Reads a browser's opening: HTTP/1.1 that becomes a WebSocket, and RDCleanPath
 * in it. The proxy has authenticated the browser; nothing in the request is
 * believed.
 */
export async function openWeb(stream: Duplex, name: string, certificate: Buffer): Promise<ClientOpening> {
  const socket = await upgrade(stream);
  const channel = new WebSocketStream(socket);
  const reader = new FrameReader(channel, maxCleanPathBytes);
  let head = Buffer.from(await reader.bytes(2));
  if (head[0] !== 0x30) throw PosternError.public('protocol_violation', 'RDCleanPath is due');
  let length: number | undefined;
  while ((length = checked(() => elementLength(head, maxCleanPathBytes))) === undefined)
    head = Buffer.concat([head, await reader.bytes(1)]);
  const request = Buffer.concat([head, await reader.bytes(length - head.length)]);
  const early = Buffer.from(reader.release());
  const { user, protocols } = checked(() => readConnectionRequest(readCleanPath(request).connectionRequest));
  if ((protocols & security.tls) === 0) {
    await channel.message(cleanPathFailure(400));
    throw PosternError.public('protocol_violation', 'the client does not take TLS');
  }
  return {
    client: 'web',
    stream: channel,
    wish: user,
    protocols,
    initial: undefined,
    early,
    welcome: () => channel.message(cleanPathResponse(name, connectionConfirm(security.tls), certificate)),
    // Not by an error of RDCleanPath: clients hang up on one, before they have read the reason.
    turnAway: (_code, denial) => channel.farewell(denial),
    farewell: (denial) => channel.farewell(denial),
  };
}

/** The status that HTTP has for a denial. */
function statusFor(code: Denial['code']): number {
  if (code === 'unauthenticated' || code === 'mfa_required' || code === 'expired') return 401;
  if (code === 'unavailable' || code === 'internal') return 502;
  return code === 'not_found' ? 404 : 403;
}

/** What a close frame has room for, besides its code. */
const maxReason = 123;

/** A text that a close frame can hold. */
function shortened(text: string): string {
  if (Buffer.byteLength(text) <= maxReason) return text;
  let short = text.slice(0, maxReason);
  while (Buffer.byteLength(`${short}…`) > maxReason) short = short.slice(0, -1);
  return `${short}…`;
}

/** Takes one WebSocket on a stream. Rejects with `protocol_violation` for anything else. */
function upgrade(stream: Duplex): Promise<WebSocket> {
  return new Promise((resolve, reject) => {
    const refused = (why: string): void => reject(PosternError.public('protocol_violation', why));
    const http = createServer({ maxHeaderSize: 16_384, keepAlive: false }, (_request, response) => {
      response.writeHead(426, { connection: 'close', upgrade: 'websocket' }).end();
      refused('a WebSocket is needed');
    });
    const sockets = new WebSocketServer({
      noServer: true,
      maxPayload: maxMessage,
      clientTracking: false,
      // Bitmaps in clear shrink to a tenth; the browser's own messages are too short to gain.
      perMessageDeflate: { threshold: 512, zlibDeflateOptions: { level: 1 }, clientNoContextTakeover: true },
    });
    http.on('upgrade', (request, socket, head) => sockets.handleUpgrade(request, socket, head, resolve));
    http.on('clientError', () => refused('not HTTP'));
    stream.once('close', () => reject(new PosternError('aborted', 'the browser left')));
    http.emit('connection', stream);
  });
}

/** A WebSocket as a stream of PDUs: each is a message of its own, since the web client loses what comes behind one. */
class WebSocketStream extends Duplex {
  constructor(private readonly socket: WebSocket) {
    super({ allowHalfOpen: false });
    socket.on('message', (data: Buffer, binary: boolean) => {
      if (!binary) return void this.destroy(new PosternError('protocol_violation', 'a message of text'));
      if (!this.push(data)) socket.pause();
    });
    socket.on('close', () => this.push(null)).on('error', (cause) => this.destroy(cause));
    this.on('error', () => {});
  }

  /** Sends bytes as they are in one message. */
  async message(bytes: Buffer): Promise<void> {
    await new Promise<void>((resolve, reject) => {
      this.socket.send(bytes, (cause) => (cause ? reject(cause) : resolve()));
    });
  }

  /** Closes with the reason of a denial, in as many bytes as there are for one. Resolves when the browser has it. */
  async farewell({ code, message }: Denial): Promise<void> {
    const { socket } = this;
    if (socket.readyState !== WebSocket.OPEN) return;
    await new Promise<void>((resolve) => {
      socket.once('close', () => resolve());
      socket.close(4000 + statusFor(code), shortened(message));
    });
  }

  override _read(): void {
    if (this.socket.isPaused) this.socket.resume();
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: (cause?: Error | null) => void): void {
    if (this.socket.readyState !== WebSocket.OPEN) return done(new PosternError('aborted', 'the browser has left'));
    for (let at = 0; at < chunk.length;) {
      const length = pduLength(chunk, at) ?? chunk.length - at;
      const end = Math.min(at + length, chunk.length);
      const last = end === chunk.length;
      this.socket.send(chunk.subarray(at, end), last ? (cause) => done(cause ?? null) : undefined);
      at = end;
    }
  }

  override _final(done: (cause?: Error | null) => void): void {
    this.socket.close(1000);
    done();
  }

  override _destroy(cause: Error | null, done: (cause: Error | null) => void): void {
    if (this.socket.readyState === WebSocket.OPEN) this.socket.close(cause ? 1011 : 1000);
    done(cause);
  }
}
