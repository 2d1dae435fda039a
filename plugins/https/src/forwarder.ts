import { STATUS_CODES, type ClientRequest as Upstream, type IncomingMessage, type ServerResponse } from 'node:http';
import { PosternError } from '@postern/plugin-sdk';
import { type HeaderFields, isFieldValue } from '@postern/plugin-sdk/http1';
import httpProxy from 'http-proxy';
import { clientLocation, headerRecord, responseFields, trailerFields } from './forwarded-headers.js';
import type { TargetAgent } from './target-agent.js';

/** Interim responses are not passed on; whoever sends more than these means no good. */
const maxInterim = 16;

export interface ForwarderOptions {
  readonly agent: TargetAgent;
  /** How long the application may take to begin its answer once it has the request. */
  readonly responseMs: number;
  /** The application's own names, in lower case, and where it begins. */
  readonly hosts: readonly string[];
  readonly prefix: string | undefined;
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
  async forward(passing: Passing): Promise<void> {
    try {
      await this.#once(passing);
    } catch (cause) {
      if (!mayRepeat(cause, passing)) throw unanswered(cause);
      await this.#once(passing).catch((again: unknown) => {
        throw unanswered(again);
      });
    }
  }

  #once(passing: Passing): Promise<void> {
    const { request, response } = passing;
    return new Promise((resolve, reject) => {
      const over = (): void => resolve();
      response.once('close', over);
      const failed = (cause: unknown): void => {
        response.off('close', over);
        if (response.headersSent || response.destroyed) {
          response.destroy();
          resolve();
        } else reject(new Failure(cause, sent?.reusedSocket === true));
      };
      let sent: Upstream | undefined;
      const agent = this.options.agent.pinned((upstream) => {
        sent = upstream;
        this.#prepare(upstream, passing, failed);
      });
      // All that http-proxy copies of the client's head.
      request.headers = {};
      const target = { protocol: 'http:', host: 'application', port: '80' };
      this.#proxy.web(request, response, { agent, target, selfHandleResponse: true, toProxy: true }, failed);
    });
  }

  #prepare(upstream: Upstream, passing: Passing, failed: (cause: unknown) => void): void {
    const { request, response, path, fields } = passing;
    upstream.path = path;
    for (const name of upstream.getHeaderNames()) upstream.removeHeader(name);
    for (const [name, value] of Object.entries(headerRecord(fields))) upstream.setHeader(name, value);
    if (passing.body === 'length') upstream.setHeader('Content-Length', String(passing.bodyLength));
    if (passing.body === 'chunked') upstream.setHeader('Transfer-Encoding', 'chunked');
    const late = (): void =>
      void upstream.destroy(
        new PosternError('timeout', 'the application did not answer in time', {
          publicMessage: 'the application did not answer in time',
        }),
      );
    const timer = setTimeout(late, this.options.responseMs).unref();
    const moved = (): void => void timer.refresh();
    const gone = (): void => void upstream.destroy();
    request.on('data', moved);
    request.once('end', () => {
      if (!upstream.writableEnded && passing.body === 'chunked' && request.rawTrailers.length > 0)
        upstream.addTrailers(
          trailerFields(request.rawTrailers).map(([name, value]): [string, string] => [name, value]),
        );
    });
    response.once('close', gone);
    upstream.once('close', () => {
      clearTimeout(timer);
      request.off('data', moved);
      response.off('close', gone);
    });
    let interim = 0;
    upstream.on('information', () => {
      if ((interim += 1) > maxInterim)
        upstream.destroy(new Error('the application sends interim responses without end'));
    });
    upstream.once('upgrade', (_, socket) => {
      socket.destroy();
      failed(improper('the application changes the protocol, for which nobody has asked'));
    });
    upstream.once('response', (incoming) => {
      clearTimeout(timer);
      incoming.on('error', () => {});
      const wrong = wrongWith(incoming);
      if (wrong === undefined) return this.#respond(incoming, passing);
      upstream.destroy();
      failed(improper(wrong));
    });
  }

  #respond(incoming: IncomingMessage, { response, close, request }: Passing): void {
    const status = incoming.statusCode ?? 0;
    const fields = headerRecord(responseFields(incoming.rawHeaders));
    const location = fields['location'];
    if (typeof location === 'string')
      fields['location'] = clientLocation(location, this.options.hosts, this.options.prefix);
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

/** What makes a response one that is not passed on; nothing where it may be. */
function wrongWith({ statusCode = 0, headers, rawHeaders }: IncomingMessage): string | undefined {
  const codings = headers['transfer-encoding'];
  if (statusCode < 200 || statusCode > 599) return `the application answers with the status ${statusCode}`;
  if (codings !== undefined && codings.toLowerCase() !== 'chunked') return 'the application uses an unknown coding';
  const lengths = rawHeaders.filter((name, at) => at % 2 === 0 && name.toLowerCase() === 'content-length');
  return lengths.length > 1 ? 'the application states two lengths' : undefined;
}

const improper = (message: string): PosternError =>
  new PosternError('upstream_unreachable', message, { publicMessage: 'the application answers no proper HTTP' });

/** Why no response has begun. */
class Failure extends Error {
  constructor(
    override readonly cause: unknown,
    /** The connection had served another request before. */
    readonly reused: boolean,
  ) {
    super('no response');
  }
}

/** True where a connection that had been idle turned out to be closed: nobody has seen the request. */
function mayRepeat(failure: unknown, { request, body }: Passing): boolean {
  if (!(failure instanceof Failure) || !failure.reused || body !== 'none') return false;
  const { code } = failure.cause as { readonly code?: unknown };
  return ['GET', 'HEAD', 'OPTIONS'].includes(request.method ?? '') && (code === 'ECONNRESET' || code === 'EPIPE');
}

/** What a failure to get an answer means, for operators and for clients. */
export function unanswered(failure: unknown): PosternError {
  const cause = failure instanceof Failure ? failure.cause : failure;
  if (PosternError.is(cause)) return cause;
  const message = cause instanceof Error ? cause.message : String(cause);
  return new PosternError('upstream_unreachable', `the application did not answer: ${message}`, {
    publicMessage: 'the application did not answer as it should',
    cause,
  });
}
