import type { Duplex } from 'node:stream';
import { PosternError, probeUpstream, write, type Health, type Probe, type ProbeContext } from '@postern/plugin-sdk';
import { HeadCollector, readResponseHead } from '@postern/plugin-sdk/http1';
import type { Https, HttpsSpec } from './protocol.js';
import { encrypted, hostOf } from './upstream.js';

const maxHead = 65_536;

/** Asks an application for its health path, as nobody: any answer but one of its own failure will do. */
export class HttpsProbe implements Probe<Https> {
  async probe(context: ProbeContext<Https>): Promise<Health> {
    return probeUpstream(context, (socket) => ask(socket, context.resource.spec));
  }
}

async function ask(socket: Duplex, spec: HttpsSpec): Promise<Health> {
  let stream: Duplex;
  try {
    stream = await encrypted(socket, spec);
  } catch (cause) {
    return { ok: false, reason: 'tls', detail: PosternError.from(cause).message };
  }
  await write(stream, requestOf(spec));
  return healthOf(await firstHead(stream));
}

function requestOf(spec: HttpsSpec): string {
  const path = `${spec.path_prefix ?? ''}${spec.health_path}`;
  return `GET ${path} HTTP/1.1\r\nHost: ${hostOf(spec)}\r\nUser-Agent: postern-probe\r\nConnection: close\r\n\r\n`;
}

async function firstHead(stream: AsyncIterable<Buffer>): Promise<Buffer> {
  const collector = new HeadCollector(maxHead);
  for await (const chunk of stream) {
    const found = collector.take(chunk);
    if (found) return found.head;
  }
  throw new PosternError('protocol_violation', 'the application closed the connection without an answer');
}

function healthOf(head: Buffer): Health {
  const { status, fields } = readResponseHead(head);
  if (status >= 500) return { ok: false, reason: 'protocol', detail: `the application answers with ${status}` };
  const server = fields.get('server');
  return server === undefined ? { ok: true } : { ok: true, version: server.slice(0, 64) };
}
