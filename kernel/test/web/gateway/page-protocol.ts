import { createHash } from 'node:crypto';
import { mkdtempSync } from 'node:fs';
import http from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { pathToFileURL } from 'node:url';
import { z } from 'zod';
import { definePlugin, defineProtocol, SessionContext, type ClientLink, type Session } from '@postern/plugin-sdk';

const accept = (key: string): string =>
  createHash('sha1').update(`${key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest('base64');

/** What other paths do: streams of data and of events, and bodies that nobody reads. */
function special(request: http.IncomingMessage, response: http.ServerResponse, told: Told): boolean {
  const [, path, count = '0'] = /^\/(events|sum|bytes|deaf)(?:\?(\d+))?$/.exec(request.url ?? '') ?? [];
  if (path === 'events') {
    response.writeHead(200, { 'content-type': 'text/event-stream' });
    response.write('data: first\n\n');
  } else if (path === 'sum') {
    let length = 0;
    request.on('data', (chunk: Buffer) => (length += chunk.length));
    request.on('end', () => response.end(String(length)));
  } else if (path === 'bytes') {
    response.writeHead(200, { 'content-length': count });
    Readable.from(blocks(Number(count)))
      .on('data', (block: Buffer) => (told.sent += block.length))
      .pipe(response);
  }
  return path !== undefined;
}

/** Many bytes, a block at a time. */
export function* blocks(bytes: number): Generator<Buffer> {
  const block = Buffer.alloc(65_536, 'x');
  for (let left = bytes; left > 0; left -= block.length) yield block.subarray(0, left);
}

/**
 * A protocol for tests whose sessions are small web servers: they tell what
 * they were asked, and echo what comes after an upgrade.
 */
export const pages = defineProtocol({
  id: 'pages',
  title: 'Pages',
  posture: 'hostile-client',
  transport: { kind: 'tls', alpn: ['http/1.1'], web: true, appHost: true },
  config: z.strictObject({}),
  auth: {
    resource: z.strictObject({}),
    endpoints: () => [],
    ask: z.strictObject({}),
    access: z.strictObject({ any: z.boolean().default(false) }),
    permits: ({ any }) => any,
    forbids: ({ any }) => any,
    preset: { any: true },
  },
  audit: {},
});
type Pages = typeof pages;

/** What sessions do, for tests to see, and what they shall do. */
export class Told {
  /** Bytes of streams that they have sent. */
  sent = 0;
  /** Their connections. */
  readonly streams = new Set<object>();
  /** The next request is answered by hanging up. */
  hangUp = false;
}

class PageSession implements Session<Pages> {
  static readonly inject = [SessionContext];
  protected readonly told = new Told();
  constructor(private readonly context: SessionContext<Pages>) {}

  open(): Promise<Record<string, never>> {
    return Promise.resolve({});
  }

  async serve({ stream, alpn, source }: ClientLink): Promise<void> {
    const { told } = this;
    const server = http.createServer((request, response) => {
      if (told.hangUp) {
        told.hangUp = false;
        return void stream.destroy();
      }
      if (request.url === '/steal')
        return void response.writeHead(200, { 'set-cookie': ['__Host-postern-app=mine; Path=/', 'own=1'] }).end();
      if (special(request, response, told)) return;
      const { method, url, rawHeaders } = request;
      response.writeHead(200, { 'content-type': 'application/json' });
      const said: string[] = [];
      request.setEncoding('utf8').on('data', (text: string) => said.push(text));
      request.on('end', () =>
        response.end(
          JSON.stringify({ method, url, rawHeaders, body: said.join(''), alpn, source, id: this.context.id }),
        ),
      );
    });
    server.on('upgrade', (request, socket) => {
      const key = accept(request.headers['sec-websocket-key'] ?? '');
      socket.write(
        `HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${key}\r\n\r\n` +
          `${JSON.stringify({ alpn, url: request.url, cookie: request.headers.cookie ?? '' })}\n`,
      );
      socket.pipe(socket);
    });
    told.streams.add(stream);
    stream.once('close', () => told.streams.delete(stream));
    server.emit('connection', stream);
    await new Promise<void>((resolve) => {
      stream.once('close', resolve);
      this.context.signal.addEventListener('abort', () => resolve(), { once: true });
    });
  }

  refuse({ stream }: ClientLink): Promise<void> {
    stream.end('HTTP/1.1 403 Forbidden\r\nContent-Length: 7\r\nConnection: close\r\n\r\ndenied\n');
    return Promise.resolve();
  }
}

/** A directory for the files of the plugin, which the test fills. */
export const assetDirectory = (): string => mkdtempSync(join(tmpdir(), 'postern-assets-'));

export const pagesPlugin = (directory: string, told = new Told()) =>
  definePlugin(pages, {
    agent: () =>
      Promise.resolve({
        Session: class extends PageSession {
          protected override readonly told = told;
        },
      }),
    web: {
      assets: pathToFileURL(`${directory}/`),
      wasm: true,
      views: { launch: { element: 'pages-launch', module: 'launch.js' } },
    },
  });
