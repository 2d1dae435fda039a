import type { Onward, Opening, ProxyModule } from '@postern/plugin-sdk';
import { firstMessageLength, readFirstMessage, type FirstMessage } from './startup.js';
import { code, errorResponse, maxStartupBytes } from './wire.js';

/** The codes by which PostgreSQL's clients begin, as the bytes after the length. */
const codes = [code.ssl, code.gss, code.cancel];

function recognise(head: Buffer): 'yes' | 'no' | 'more' {
  // Int32 length, which is short, Int32 code: the first two bytes of both tell most other protocols apart.
  if (head.length >= 2 && (head[0] !== 0 || head[1] !== 0)) return 'no';
  if (head.length >= 1 && head[0] !== 0) return 'no';
  if (head.length < 8) return 'more';
  const length = head.readUInt32BE(0);
  const kind = head.readUInt32BE(4);
  const known = codes.includes(kind as (typeof codes)[number]) || kind >>> 16 === 3;
  return known && length >= 8 && length <= maxStartupBytes ? 'yes' : 'no';
}

/** Talks a client into TLS, passes requests to cancel on, and tells everybody else how to connect. */
async function open(opening: Opening): Promise<Onward> {
  for (const refused of ['gss', undefined] as const) {
    const first = await readFirst(opening);
    if (first.kind === 'cancel') return { kind: 'signal', connection: first.connection, payload: first.secret };
    if (first.kind === 'startup') return refuse(opening);
    // A client that goes on before it was answered is not one: somebody put words into its mouth (CVE-2021-23222).
    if (opening.peek().length > 0) return { kind: 'closed' };
    if (first.method !== refused) return answer(opening, first.method);
    await opening.write(Buffer.from('N'));
  }
  return { kind: 'closed' };
}

async function answer(opening: Opening, method: 'ssl' | 'gss'): Promise<Onward> {
  if (method === 'gss') return { kind: 'closed' };
  await opening.write(Buffer.from('S'));
  return { kind: 'tls' };
}

async function readFirst(opening: Opening): Promise<FirstMessage> {
  const head = await opening.read(4);
  return readFirstMessage(Buffer.concat([head, await opening.read(firstMessageLength(head) - 4)]));
}

async function refuse(opening: Opening): Promise<Onward> {
  const words = {
    severity: 'FATAL',
    sqlstate: '28000',
    message: 'this proxy takes encrypted connections only',
    hint: 'Connect with sslmode=verify-full and the certificate that "psh login" writes, or with "psh db connect".',
  };
  await opening.write(errorResponse(words));
  return { kind: 'closed' };
}

export const postgresProxy: ProxyModule = { recognise, open };
