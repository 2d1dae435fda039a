import { createHash } from 'node:crypto';
import http from 'node:http';
import type { Duplex } from 'node:stream';
import { PosternError } from '@postern/plugin-sdk';
import { responseHeaders, requestHeaders } from './forwarded-head.js';
import { answerError, type AppVisit } from './app-entrance.js';
import type { ResourceCall, ResourceCaller } from './resource-caller.js';
import { isSafeMethod } from './safe-method.js';

/** Connections to one application for one browser, and how long they wait for the next request. */
const perVisitor = 32;
const idleMs = 50_000;
const maxPools = 1024;

/** Passes requests on to an agent and streams what comes back, over a few connections for each browser and application. */
export class AppForwarder implements Disposable {
  readonly #pools = new Map<string, http.Agent>();

  constructor(private readonly caller: Pick<ResourceCaller, 'call'>) {}

  /** Resolves when the answer is over. What fails before it began is answered; later, the connection breaks off. */
  forward(visit: AppVisit, call: ResourceCall): Promise<void> {
    const { response } = visit;
    return new Promise((resolve) => {
      let sent = this.#send(visit, { agent: this.#poolFor(call) });
      const failed = (cause: Error): void => {
        visit.request.unpipe(sent);
        answerError(response, PosternError.is(cause) ? cause : unanswered(cause));
      };
      sent.once('error', (cause) => {
        if (response.destroyed || response.headersSent || !mayRepeat(visit, sent)) return failed(cause);
        sent = this.#send(visit, { createConnection: connecting(this.caller, call) }).on('error', failed);
      });
      response.once('close', () => {
        // A browser that has gone needs nothing more.
        if (!response.writableFinished) sent.destroy();
        resolve();
      });
    });
  }

  [Symbol.dispose](): void {
    for (const pool of this.#pools.values()) pool.destroy();
  }

  #send({ request, response }: AppVisit, way: http.RequestOptions): http.ClientRequest {
    const sent = http.request({
      ...way,
      method: request.method,
      path: request.url,
      headers: [...requestHeaders(request), ...framingOf(request)],
    });
    // A second error, of a request that is given up already, is nobody's.
    sent.on('error', () => {});
    sent.on('information', ({ statusCode }) => {
      if (statusCode === 102) response.writeProcessing();
    });
    sent.on('response', (answer) => {
      response.sendDate = false;
      response.writeHead(answer.statusCode ?? 502, answer.statusMessage, responseHeaders(answer));
      // Events are worth nothing late: the head goes before the first byte of the body is there.
      response.flushHeaders();
      answer.on('error', () => response.destroy());
      answer.on('aborted', () => response.destroy());
      answer.pipe(response);
    });
    if (hasBody(request)) request.pipe(sent);
    else sent.end();
    return sent;
  }

  #poolFor(call: ResourceCall): http.Agent {
    const key = createHash('sha256')
      .update(JSON.stringify([call.cookie, call.resource.kind, call.resource.name, call.address]))
      .digest('base64url');
    const pool = this.#pools.get(key) ?? new VisitorPool(this.caller, call);
    this.#pools.delete(key);
    this.#pools.set(key, pool);
    const [oldest] = this.#pools.keys();
    if (oldest !== undefined && this.#pools.size > maxPools) {
      this.#pools.get(oldest)?.destroy();
      this.#pools.delete(oldest);
    }
    return pool;
  }
}

type Connected = (cause: Error | null, stream: Duplex) => void;

/** Connections of one browser to one application. */
class VisitorPool extends http.Agent {
  constructor(
    private readonly caller: Pick<ResourceCaller, 'call'>,
    private readonly visit: ResourceCall,
  ) {
    super({ keepAlive: true, maxSockets: perVisitor, maxFreeSockets: 4, timeout: idleMs, scheduling: 'lifo' });
  }

  override createConnection(options: unknown, connected: Connected): undefined {
    return connecting(this.caller, this.visit)(options, connected);
  }
}

/** As Node wants to be connected. */
const connecting =
  (caller: Pick<ResourceCaller, 'call'>, call: ResourceCall) =>
  (_options: unknown, connected: Connected): undefined => {
    caller.call(call).then(
      (stream) => connected(null, stream),
      (cause: unknown) => connected(PosternError.from(cause), undefined as unknown as Duplex),
    );
  };

/**
 * Whether a request that failed is sent once more: an agent may close a
 * connection that waits here just as the next request goes out on it. Only what
 * changes nothing, and of what nothing is gone (RFC 9110, section 9.2.2).
 */
const mayRepeat = ({ request }: AppVisit, { reusedSocket }: http.ClientRequest): boolean =>
  reusedSocket && isSafeMethod(request.method) && !hasBody(request);

const hasBody = ({ headers }: http.IncomingMessage): boolean =>
  headers['transfer-encoding'] !== undefined || (headers['content-length'] ?? '0') !== '0';

/** The body's framing, written anew from what the parser made of it. */
function framingOf({ headers }: http.IncomingMessage): string[] {
  return headers['transfer-encoding'] === undefined ? [] : ['Transfer-Encoding', 'chunked'];
}

const unanswered = (cause: Error): PosternError =>
  new PosternError('upstream_unreachable', `no answer: ${cause.message}`, {
    publicMessage: 'the application did not answer',
    cause,
  });
