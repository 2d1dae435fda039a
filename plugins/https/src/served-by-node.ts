import http, { type IncomingMessage, type ServerResponse } from 'node:http';
import type { PosternError } from '@postern/plugin-sdk';
import type { Admitted } from './admission.js';
import type { BodySink, ClientGate } from './client-gate.js';
import { plainHead, type ClientRequest } from './client-request.js';
import type { Places } from './forwarded-headers.js';
import { Forwarder } from './forwarder.js';
import { refusalOf } from './refusal.js';
import { ServerSide } from './server-side.js';
import type { UpstreamConnections } from './upstream-connections.js';

/** How a request ended; without a status no response had begun. */
export interface Ended {
  readonly status?: number;
  readonly type?: string | undefined;
  readonly complete: boolean;
}

export interface ServedByNodeOptions {
  readonly gate: ClientGate;
  readonly connections: UpstreamConnections;
  readonly places: Places;
  readonly responseMs: number;
  /** Rejects where a request must not be forwarded. */
  readonly admit: (wanted: ClientRequest) => Promise<Admitted>;
  /** What a refusal means to the client. */
  readonly refused: (cause: unknown) => PosternError;
  readonly ended: (admitted: Admitted, ended: Ended) => Promise<void>;
}

/**
 * Requests with a body, and those of HTTP/1.0, whose clients know no chunks:
 * Node's own server and http-proxy carry them.
 */
export class ServedByNode {
  readonly #server: http.Server;
  readonly #side: ServerSide;
  readonly #forwarder: Forwarder;
  #wanted: ClientRequest | undefined;

  constructor(private readonly options: ServedByNodeOptions) {
    const { gate, connections, places, responseMs } = options;
    this.#forwarder = new Forwarder({ connections, places, responseMs });
    this.#side = new ServerSide(gate);
    // The gate has limits and time-outs of its own, which are stricter; what comes here has passed it.
    this.#server = http.createServer(
      { keepAliveTimeout: 0, requestTimeout: 0, headersTimeout: 0 },
      (request, response) => void this.#serve(request, response),
    );
    this.#server.timeout = 0;
    this.#server.on('clientError', () => void gate.end());
    this.#server.emit('connection', this.#side);
  }

  /** Answers where the body goes. */
  serve(wanted: ClientRequest): BodySink {
    this.#wanted = wanted;
    this.#side.push(plainHead(wanted));
    return this.#side;
  }

  close(): void {
    this.#side.destroy();
    this.#server.close();
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const wanted = this.#wanted;
    if (!wanted) return void response.destroy();
    response.on('error', () => {});
    const closed = new Promise<void>((resolve) => response.once('close', resolve));
    let admitted: Admitted | undefined;
    try {
      admitted = await this.options.admit(wanted);
      if (!response.destroyed) await this.#forward(wanted, admitted, { request, response });
    } catch (cause) {
      this.#refuse(response, wanted, cause);
    }
    await closed;
    if (admitted) await this.options.ended(admitted, endOf(response));
    this.options.gate.answered();
  }

  #forward(
    { continues, head, framing, close }: ClientRequest,
    { path, fields }: Admitted,
    { request, response }: { readonly request: IncomingMessage; readonly response: ServerResponse },
  ): Promise<void> {
    if (continues) response.writeContinue();
    const bodyLength = framing.kind === 'length' ? framing.length : undefined;
    const body = framing.kind === 'length' || framing.kind === 'chunked' ? framing.kind : 'none';
    request.method = head.method;
    return this.#forwarder.forward({ request, response, path, fields, body, bodyLength, close });
  }

  #refuse(response: ServerResponse, { head }: ClientRequest, cause: unknown): void {
    // Of a session that is being cut the last word is that of the denial.
    if (this.options.gate.ended || response.destroyed) return;
    if (response.headersSent) return void response.destroy();
    const { status, phrase, headers, body } = refusalOf(this.options.refused(cause), head.fields.get('accept'));
    for (const name of response.getHeaderNames()) response.removeHeader(name);
    response.writeHead(status, phrase, headers);
    response.end(head.method === 'HEAD' ? undefined : body);
  }
}

function endOf(response: ServerResponse): Ended {
  if (!response.headersSent) return { complete: false };
  const type = response.getHeader('content-type');
  const complete = response.writableFinished;
  return { status: response.statusCode, type: typeof type === 'string' ? type : undefined, complete };
}
