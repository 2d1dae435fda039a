import { STATUS_CODES, type ClientRequest as Upstream, type IncomingMessage, type ServerResponse } from 'node:http';
import { isFieldValue, type HeaderFields } from '@postern/plugin-sdk/http1';
import httpProxy from 'http-proxy';
import { headerRecord, rawFields, responseFields, trailerFields, type Places } from './forwarded-headers.js';
import { improper, late, unanswered } from './no-response.js';
import { proxyAgent } from './proxy-agent.js';
import type { UpstreamConnections } from './upstream-connections.js';

/** Interim responses are not passed on; whoever sends more than these means no good. */
const maxInterim = 16;

export interface ForwarderOptions {
  readonly connections: UpstreamConnections;
  /** How long the application may take to begin its answer once it has the request. */
  readonly responseMs: number;
  readonly places: Places;
}

/** One request on its way, as Node's server has it. */
export interface Passing {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly path: string;
  readonly fields: HeaderFields;
  readonly body: 'none' | 'length' | 'chunked';
  readonly bodyLength: number | undefined;
  /** The connection to the client ends behind the response. */
  readonly close: boolean;
}

/**
 * Sends requests to the application through http-proxy, which is told as little
 * as possible: path and fields are set on the outgoing request itself before
 * any of it is written, since http-proxy rewrites paths (`//`, `http:/`) and
 * takes the framing away from a DELETE; responses are written here, since it
 * would pass on what cannot be written and wait for what has broken off. The
 * request to the application, which version 1.18.1 leaves open when a client
 * goes away, is ended here.
 */
export class Forwarder {
  readonly #proxy = httpProxy.createProxyServer();

  constructor(private readonly options: ForwarderOptions) {}

  /** Resolves when the response is over, however it ended; rejects where none had begun. */
  forward(passing: Passing): Promise<void> {
    const { request, response } = passing;
    return new Promise((resolve, reject) => {
      const over = (): void => resolve();
      response.once('close', over);
      const failed = (cause: unknown): void => {
        response.off('close', over);
        if (!response.headersSent && !response.destroyed) return reject(unanswered(cause));
        response.destroy();
        resolve();
      };
      const agent = proxyAgent(this.options.connections, (upstream) => this.#prepare(upstream, passing, failed));
      // All that http-proxy copies of the client's head.
      request.headers = {};
      const target = { protocol: 'http:', host: 'application', port: '80' };
      this.#proxy.web(request, response, { agent, target, selfHandleResponse: true, toProxy: true }, failed);
    });
  }

  #prepare(upstream: Upstream, passing: Passing, failed: (cause: unknown) => void): void {
    const { path, fields, response } = passing;
    upstream.path = path;
    for (const name of upstream.getHeaderNames()) upstream.removeHeader(name);
    for (const [name, value] of Object.entries(headerRecord(fields))) upstream.setHeader(name, value);
    if (passing.body === 'length') upstream.setHeader('Content-Length', String(passing.bodyLength));
    if (passing.body === 'chunked') upstream.setHeader('Transfer-Encoding', 'chunked');
    this.#limitTime(upstream, passing.request);
    sendTrailers(upstream, passing);
    endWith(response, upstream);
    refuseInterim(upstream);
    upstream.once('upgrade', (_, socket) => {
      socket.destroy();
      failed(improper('it changes the protocol, for which nobody has asked'));
    });
    upstream.once('response', (incoming) => {
      incoming.on('error', () => {});
      const wrong = wrongWith(incoming);
      if (wrong === undefined) return this.#respond(incoming, passing);
      upstream.destroy();
      failed(improper(wrong));
    });
  }

  /** Until the answer begins; a body that still comes is no silence of the application's. */
  #limitTime(upstream: Upstream, request: IncomingMessage): void {
    const timer = setTimeout(() => void upstream.destroy(late()), this.options.responseMs).unref();
    const moved = (): void => void timer.refresh();
    const stop = (): void => {
      clearTimeout(timer);
      request.off('data', moved);
    };
    request.on('data', moved);
    upstream.once('response', stop).once('close', stop);
  }

  #respond(incoming: IncomingMessage, { response, close, request }: Passing): void {
    const status = incoming.statusCode ?? 0;
    const fields = headerRecord(responseFields(rawFields(incoming.rawHeaders), this.options.places));
    fields['connection'] = close ? 'close' : 'keep-alive';
    const said = incoming.statusMessage ?? '';
    response.writeHead(status, isFieldValue(said) ? said : (STATUS_CODES[status] ?? ''), fields);
    // A head alone is something to know: events may be long in coming.
    response.flushHeaders();
    // Whoever waits for the rest of a response that breaks off must be told.
    incoming.once('close', () => {
      if (!incoming.complete) response.destroy();
    });
    incoming.once('end', () => {
      const trailers = trailerFields(incoming.rawTrailers);
      if (trailers.length > 0 && request.httpVersion === '1.1' && fields['content-length'] === undefined)
        response.addTrailers(trailers.map(([name, value]): [string, string] => [name, value]));
    });
    incoming.pipe(response);
  }
}

/** What http-proxy 1.18.1 does not do on Node 16 and later: a client that goes away ends the request to the application. */
function endWith(response: ServerResponse, upstream: Upstream): void {
  const gone = (): void => void upstream.destroy();
  response.once('close', gone);
  upstream.once('close', () => response.off('close', gone));
}

function sendTrailers(upstream: Upstream, { request, body }: Passing): void {
  if (body !== 'chunked') return;
  request.once('end', () => {
    if (upstream.writableEnded || request.rawTrailers.length === 0) return;
    upstream.addTrailers(trailerFields(request.rawTrailers).map(([name, value]): [string, string] => [name, value]));
  });
}

function refuseInterim(upstream: Upstream): void {
  let interim = 0;
  upstream.on('information', () => {
    if ((interim += 1) > maxInterim) upstream.destroy(new Error('the application sends interim responses without end'));
  });
}

/** What makes a response one that is not passed on; nothing where it may be. */
function wrongWith({ statusCode = 0, headers, rawHeaders }: IncomingMessage): string | undefined {
  const codings = headers['transfer-encoding'];
  if (statusCode < 200 || statusCode > 599) return `its status is ${statusCode}`;
  if (codings !== undefined && codings.toLowerCase() !== 'chunked') return 'its transfer coding is unknown';
  const names = rawHeaders.filter((_, at) => at % 2 === 0).map((name) => name.toLowerCase());
  if (names.some((name) => name === 'content_length' || name === 'transfer_encoding'))
    return 'it spells its framing with an underscore';
  const lengths = names.filter((name) => name === 'content-length');
  return lengths.length > 1 ? 'it states two lengths' : undefined;
}
