import tls from 'node:tls';
import type { TestCluster } from '../../../../test/support/cluster.js';
import { home } from '../sessions/web-world.js';

export interface RawAnswer {
  readonly status: number;
  readonly head: string;
  readonly body: string;
}

/** Says bytes at a name of the cluster, over TLS, and reads until the other side is silent or `pattern` was read. */
export async function say(
  cluster: TestCluster,
  hostname: string,
  text: string,
  pattern?: RegExp,
): Promise<RawAnswer & { readonly stream: tls.TLSSocket; readonly all: () => string }> {
  const socket = await cluster.open(home);
  // An attacker asks for no proof.
  const stream = tls.connect({ socket, servername: hostname, ALPNProtocols: ['http/1.1'], rejectUnauthorized: false });
  stream.on('error', () => {});
  let all = '';
  stream.on('data', (chunk: Buffer) => (all += chunk.toString('latin1')));
  stream.write(text, 'latin1');
  await new Promise<void>((resolve) => {
    const done = (): void => {
      stream.off('data', check);
      resolve();
    };
    const check = (): void => void ((pattern ? pattern.test(all) : complete(all)) && done());
    stream.on('data', check).once('close', done).on('error', done);
    check();
  });
  const end = all.indexOf('\r\n\r\n');
  const status = Number(/^HTTP\/1\.1 (\d{3})/.exec(all)?.[1] ?? 0);
  return { status, head: all.slice(0, end), body: all.slice(end + 4), stream, all: () => all };
}

/** The same, and leaves. */
export async function ask(cluster: TestCluster, hostname: string, text: string): Promise<RawAnswer> {
  const { stream, ...answer } = await say(cluster, hostname, text);
  stream.destroy();
  return answer;
}

export const head = (first: string, fields: Readonly<Record<string, string>>): string =>
  `${first} HTTP/1.1\r\n${Object.entries(fields)
    .map(([name, value]) => `${name}: ${value}\r\n`)
    .join('')}\r\n`;

/** The fields by which a WebSocket is asked for. */
export const upgrade = {
  connection: 'Upgrade',
  upgrade: 'websocket',
  'sec-websocket-version': '13',
  'sec-websocket-key': 'dGhlIHNhbXBsZSBub25jZQ==',
};

/** The value of a cookie that an answer sets. */
export const cookieIn = ({ head: fields }: RawAnswer, name: string): string | undefined =>
  new RegExp(`set-cookie: ${name}=([^;]+);`, 'i').exec(fields)?.[1];

export const locationIn = ({ head: fields }: RawAnswer): string => /^location: (.*)$/im.exec(fields)?.[1]?.trim() ?? '';

function complete(text: string): boolean {
  const end = text.indexOf('\r\n\r\n');
  if (end < 0) return false;
  const length = /content-length: (\d+)/i.exec(text.slice(0, end))?.[1];
  if (length !== undefined) return text.length >= end + 4 + Number(length);
  if (/transfer-encoding: chunked/i.test(text.slice(0, end))) return text.endsWith('0\r\n\r\n');
  return true;
}
