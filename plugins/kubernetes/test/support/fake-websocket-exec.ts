import { createHash } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';

/** A frame of a server's: never masked, never in parts. */
export function frame(opcode: number, payload: Buffer): Buffer {
  const head =
    payload.length < 126
      ? Buffer.from([0x80 | opcode, payload.length])
      : Buffer.from([0x80 | opcode, 126, payload.length >> 8, payload.length & 0xff]);
  return Buffer.concat([head, payload]);
}

const message = (channel: number, text: string): Buffer =>
  frame(2, Buffer.concat([Buffer.from([channel]), Buffer.from(text)]));

export const success = JSON.stringify({ metadata: {}, status: 'Success' });
export const failed = (code: number): string =>
  JSON.stringify({
    metadata: {},
    status: 'Failure',
    message: `command terminated with non-zero exit code: exit status ${code}`,
    reason: 'NonZeroExitCode',
    details: { causes: [{ reason: 'ExitCode', message: String(code) }] },
  });

/** What the commands of the fakes do: say something, fail, or stay. */
export function runFake(command: string): { readonly out: string; readonly status: string | undefined } {
  if (command.startsWith('fail')) return { out: 'failing\n', status: failed(7) };
  if (command.startsWith('stay')) return { out: 'staying\n', status: undefined };
  return { out: `ran ${command}\n`, status: success };
}

/** `exec` in the framing `v5.channel.k8s.io` or `v4.channel.k8s.io`. */
export function serveWebSocketExec(request: IncomingMessage, socket: Duplex, command: string): void {
  const key = `${request.headers['sec-websocket-key'] ?? ''}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`;
  const chosen = (request.headers['sec-websocket-protocol'] ?? '').split(',')[0]?.trim() ?? '';
  const accept = createHash('sha1').update(key).digest('base64');
  socket.write(
    'HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n' +
      `Sec-WebSocket-Accept: ${accept}\r\nSec-WebSocket-Protocol: ${chosen}\r\n\r\n`,
  );
  const { out, status } = runFake(command);
  socket.write(message(1, out));
  if (status === undefined) return;
  socket.write(message(3, status));
  socket.write(frame(8, Buffer.from([0x03, 0xe8])));
  socket.resume().once('end', () => socket.end());
}
