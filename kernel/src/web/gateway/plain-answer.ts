import http from 'node:http';
import type { Duplex } from 'node:stream';
import type { PosternError } from '@postern/plugin-sdk';
import { httpStatusOf } from '../../api/http-status.js';

/** Answers an upgrade that does not happen, and closes. */
export function refuseUpgrade(socket: Duplex, status: number, text: string): void {
  if (socket.destroyed) return;
  const body = `${text}\n`;
  socket.end(
    `HTTP/1.1 ${status} ${http.STATUS_CODES[status] ?? 'Error'}\r\nContent-Type: text/plain; charset=utf-8\r\n` +
      `X-Content-Type-Options: nosniff\r\nContent-Length: ${Buffer.byteLength(body)}\r\nConnection: close\r\n\r\n${body}`,
  );
}

/** The same for an error: its public message, and the status that stands for its code. */
export const refuseUpgradeFor = (socket: Duplex, error: PosternError): void =>
  refuseUpgrade(socket, httpStatusOf(error.code), error.publicMessage);
