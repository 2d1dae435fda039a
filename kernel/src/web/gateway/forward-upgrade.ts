import http from 'node:http';
import type { Duplex } from 'node:stream';
import type tls from 'node:tls';
import { relay } from '@postern/plugin-sdk';
import { requestHeaders, responseHeaders } from './forwarded-head.js';
import { refuseUpgrade } from './plain-answer.js';

/** A browser's request for a WebSocket, and what came behind it. */
export interface Upgrade {
  readonly request: http.IncomingMessage;
  readonly socket: Duplex;
  readonly head: Buffer;
}

/**
 * Passes an upgrade on to an agent, and bytes in both directions once the agent
 * has agreed. Until then nothing of the browser's goes on but the request: a
 * refusal cannot be followed by requests that nobody here has seen. How long the
 * answer may take is for the agent to say, and for the browser to wait. Resolves
 * when it is over.
 */
export function forwardUpgrade({ request, socket, head }: Upgrade, stream: tls.TLSSocket, path: string): Promise<void> {
  return new Promise((resolve) => {
    const over = (): void => {
      stream.destroy();
      socket.destroy();
      resolve();
    };
    const sent = http.request({
      createConnection: () => stream,
      method: 'GET',
      path,
      headers: [...requestHeaders(request), 'Connection', 'Upgrade', 'Upgrade', 'websocket'],
    });
    socket.once('close', over).on('error', over);
    let answered = false;
    sent.on('error', () => {
      // What came now would be read as more of the answer.
      if (answered) return over();
      refuseUpgrade(socket, 502, 'the agent did not answer');
      resolve();
    });
    sent.on('response', (answer) => {
      answered = true;
      socket.write(headOf(answer, ['Connection', 'close']), 'latin1');
      answer.pipe(socket);
      answer.on('error', over).on('close', () => (answer.complete ? void stream.destroy() : over()));
    });
    sent.on('upgrade', (answer, upstream, early) => {
      answered = true;
      socket.write(headOf(answer, ['Connection', 'Upgrade', 'Upgrade', 'websocket']), 'latin1');
      relay(socket, upstream as Duplex, { head: { client: head, upstream: early } }).then(over, over);
    });
    sent.end();
  });
}

function headOf(answer: http.IncomingMessage, more: readonly string[]): string {
  const fields = [...responseHeaders(answer), ...more];
  const lines = [`HTTP/1.1 ${answer.statusCode ?? 502} ${answer.statusMessage ?? ''}`];
  for (let at = 0; at + 1 < fields.length; at += 2) lines.push(`${fields[at]}: ${fields[at + 1]}`);
  return `${lines.join('\r\n')}\r\n\r\n`;
}
