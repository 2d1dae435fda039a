import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import { deflateSync } from 'node:zlib';
import { spdyDictionary } from '../../src/spdy-dictionary.js';
import { SpdyHeaders } from '../../src/spdy-headers.js';
import { runFake } from './fake-websocket-exec.js';

const data = (stream: number, text: string, final: boolean): Buffer => {
  const head = Buffer.alloc(8);
  head.writeUInt32BE(stream, 0);
  head.writeUInt8(final ? 1 : 0, 4);
  head.writeUIntBE(Buffer.byteLength(text), 5, 3);
  return Buffer.concat([head, Buffer.from(text)]);
};

/** SYN_REPLY (draft-mbelshe-httpbis-spdy-00, section 2.6.2). */
const reply = (stream: number, block: Buffer): Buffer => {
  const head = Buffer.from([0x80, 3, 0, 2, 0, 0, 0, 0, 0, 0, 0, 0]);
  head.writeUIntBE(4 + block.length, 5, 3);
  head.writeUInt32BE(stream, 8);
  return Buffer.concat([head, block]);
};

/** `exec` in the framing SPDY/3.1: waits for the streams that a client opens, says its output and how it ended. */
export function serveSpdyExec(request: IncomingMessage, socket: Duplex, command: string): void {
  const chosen =
    String(request.headers['x-stream-protocol-version'] ?? '')
      .split(',')[0]
      ?.trim() ?? '';
  socket.write(
    `HTTP/1.1 101 Switching Protocols\r\nUpgrade: SPDY/3.1\r\nConnection: Upgrade\r\nX-Stream-Protocol-Version: ${chosen}\r\n\r\n`,
  );
  const { searchParams } = new URL(request.url ?? '', 'https://x');
  const wants = (word: string): boolean => ['1', 'true'].includes(searchParams.get(word) ?? '');
  // A client that has opened a stream waits for its reply: nothing may end before the last.
  const asked = [...['stdin', 'stdout', 'stderr'].filter(wants), ...(wants('tty') ? ['resize'] : [])];
  const streams = new Map<string, number>();
  const headers = new SpdyHeaders();
  let unread = Buffer.alloc(0);
  let said = false;
  socket.resume().on('data', (chunk: Buffer) => {
    unread = Buffer.concat([unread, chunk]);
    while (unread.length >= 8 && unread.length >= 8 + unread.readUIntBE(5, 3)) {
      const body = unread.subarray(8, 8 + unread.readUIntBE(5, 3));
      const opening = unread.readUInt32BE(0) === 0x80030001;
      unread = unread.subarray(8 + body.length);
      if (!opening) continue;
      streams.set(headers.next(body.subarray(10)).get('streamtype') ?? '', body.readUInt32BE(0));
      socket.write(reply(body.readUInt32BE(0), emptyBlock(streams.size === 1)));
    }
    const [out, error] = [streams.get('stdout'), streams.get('error')];
    if (said || out === undefined || error === undefined || !asked.every((one) => streams.has(one))) return;
    said = true;
    const ran = runFake(command);
    socket.write(data(out, ran.out, ran.status !== undefined));
    if (ran.status !== undefined) socket.end(data(error, ran.status, true));
  });
}

/** A header block that names nothing, as part of the one zlib stream that a connection has in this direction. */
function emptyBlock(first: boolean): Buffer {
  // Stored, which needs no state; then an empty block, at which readers hand out what they have (Z_SYNC_FLUSH).
  const flushed = Buffer.from([0, 4, 0, 0xfb, 0xff, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff]);
  const begin = first ? deflateSync('', { dictionary: spdyDictionary }).subarray(0, 6) : Buffer.alloc(0);
  return Buffer.concat([begin, flushed]);
}
