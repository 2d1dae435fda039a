import { once } from 'node:events';
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Registry } from 'prom-client';
import { PosternError } from '@postern/plugin-sdk';
import type { Address } from '../configuration/index.js';
import type { Readiness } from './readiness.js';

export interface DiagnosticsOptions {
  readonly listen: Address;
  readonly readiness: Readiness;
  readonly metrics: Registry;
}

/** Connections that monitoring may have at once; it is not what the machine is for. */
const maxConnections = 64;

/** Answers to monitoring, in plain HTTP, at an address of its own: it is not for the network that users are in. */
export class Diagnostics implements AsyncDisposable {
  private constructor(private readonly server: http.Server) {}

  /** Rejects with `unavailable` where nobody can listen there. */
  static async listen({ listen, readiness, metrics }: DiagnosticsOptions): Promise<Diagnostics> {
    const server = http.createServer(
      { requestTimeout: 10_000, headersTimeout: 10_000, maxHeaderSize: 8192 },
      (request, response) => {
        // Handled inside: it answers every failure itself.
        void answer(request, { readiness, metrics }).then(({ status, type = 'text/plain', body }) => {
          response.writeHead(status, { 'content-type': type, 'cache-control': 'no-store' });
          response.end(request.method === 'HEAD' ? '' : body);
        });
      },
    );
    server.maxConnections = maxConnections;
    server.listen(listen.port, listen.host);
    await once(server, 'listening').catch((cause: unknown) => {
      throw PosternError.public('unavailable', `diagnostics.listen: ${(cause as Error).message}`, cause);
    });
    return new Diagnostics(server);
  }

  get port(): number {
    return (this.server.address() as AddressInfo).port;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const closed = once(this.server, 'close');
    this.server.close();
    this.server.closeAllConnections();
    await closed;
  }
}

interface Answer {
  readonly status: number;
  readonly type?: string;
  readonly body: string;
}

async function answer(
  { method, url = '' }: http.IncomingMessage,
  { readiness, metrics }: Pick<DiagnosticsOptions, 'readiness' | 'metrics'>,
): Promise<Answer> {
  if (method !== 'GET' && method !== 'HEAD') return { status: 405, body: 'only GET and HEAD\n' };
  const [path] = url.split('?');
  if (path === '/healthz') return { status: 200, body: 'ok\n' };
  if (path === '/readyz') return { status: readiness.ready ? 200 : 503, body: readiness.text };
  if (path !== '/metrics') return { status: 404, body: 'there are /metrics, /healthz and /readyz\n' };
  try {
    return { status: 200, type: metrics.contentType, body: await metrics.metrics() };
  } catch (cause) {
    return { status: 500, body: `${PosternError.from(cause).publicMessage}\n` };
  }
}
