import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { request } from 'node:https';
import { join } from 'node:path';
import { openWebSocket } from '../../../plugins/https/test/support/web-socket.js';
import { until } from '../../support/cluster.js';

/** The application of a cluster's public port, for whoever has a profile's certificate files. */
export interface ApplicationAt {
  readonly port: string;
  readonly hostname: string;
  /** Where `psh login` wrote. */
  readonly profile: string;
}

/**
 * A WebSocket that has echoed, and a stream of events that has sent its first.
 * Resolves once both are open, with a promise of what became of each.
 */
export async function longLived({ port, hostname, profile }: ApplicationAt) {
  const read = (file: string): Promise<string> => readFile(join(profile, file), 'utf8');
  const [ca, cert, key] = await Promise.all([read('authority.pem'), read('tls.crt'), read('tls.key')]);
  const options = { servername: hostname, headers: { Host: hostname }, ca, cert, key };
  const socket = await openWebSocket(`wss://127.0.0.1:${port}/echo`, options);
  const closed = once(socket, 'close') as Promise<[number, Buffer]>;
  const echoed = once(socket, 'message') as Promise<[Buffer]>;
  socket.send('hello');
  assert.equal((await echoed)[0].toString(), 'hello');
  const events = await openEvents(`https://127.0.0.1:${port}/endless`, options);
  return { ended: Promise.all([closed.then(([code, reason]) => `${code} ${reason.toString()}`), events.ended]) };
}

async function openEvents(url: string, options: Parameters<typeof request>[1]) {
  const response = await new Promise<NodeJS.ReadableStream>((resolve, reject) =>
    request(url, { ...options, agent: false }, resolve)
      .once('error', reject)
      .end(),
  );
  let said = '';
  const ended = new Promise<string>((resolve) => {
    response.on('data', (chunk) => (said += String(chunk)));
    response.once('error', (cause: Error) => resolve(`broken off: ${cause.message}`));
    response.once('end', () => resolve('ended'));
  });
  await until(() => said === 'data: first\n\n', 20_000);
  return { ended };
}
