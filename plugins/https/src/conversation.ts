import http, { type IncomingMessage, type ServerResponse } from 'node:http';
import { PosternError, type ClientLink, type Denial, type Grant, type SessionContext } from '@postern/plugin-sdk';
import { AssertionSource } from './assertion-source.js';
import type { ClientGate, GateHandler } from './client-gate.js';
import type { ClientRequest } from './client-request.js';
import { requestFields } from './forwarded-headers.js';
import { Forwarder } from './forwarder.js';
import { type Journal } from './journal.js';
import type { Https } from './protocol.js';
import { refusalOf } from './refusal.js';
import { readRequestPath, type RequestPath } from './request-path.js';
import { TargetAgent } from './target-agent.js';
import { connectTarget, hostOf } from './upstream.js';
import { WebSocketPassage } from './web-socket.js';
import type { HeaderFields } from '@postern/plugin-sdk/http1';

export interface ConversationOptions {
  readonly context: SessionContext<Https>;
  readonly grant: Grant<Https>;
  readonly client: ClientLink;
  readonly gate: ClientGate;
  readonly journal: Journal;
  /** Values of the resource's `secret_headers`. */
  readonly secrets: Readonly<Record<string, string>>;
}

/** A request that was decided and recorded, ready to be forwarded. */
interface Admitted {
  readonly path: string;
  readonly fields: HeaderFields;
  readonly sequence: number;
  readonly began: number;
}

/** All requests of one connection. */
export class Conversation implements GateHandler, AsyncDisposable {
  readonly #server: http.Server;
  readonly #agent: TargetAgent;
  readonly #forwarder: Forwarder;
  readonly #assertions: AssertionSource;
  #sequence = 0;
  #passage: WebSocketPassage | undefined;
  #request: ClientRequest | undefined;

  constructor(private readonly options: ConversationOptions) {
    const { context, grant } = options;
    const { spec } = context.resource;
    const { config, signal } = context;
    const timeoutMs = config.connect_timeout_seconds * 1000;
    this.#agent = new TargetAgent(() => connectTarget({ spec, timeoutMs, signal, dial: () => grant.dial() }));
    this.#forwarder = new Forwarder({
      agent: this.#agent,
      responseMs: config.response_timeout_seconds * 1000,
      hosts: [hostOf(spec), `${spec.host}:${spec.port}`, spec.host].map((name) => name.toLowerCase()),
      prefix: spec.path_prefix,
    });
    this.#assertions = new AssertionSource(grant.credentials, spec.assertion.audience ?? context.resource.name);
    // The gate has limits and time-outs of its own, which are stricter; what comes here has passed it.
    this.#server = http.createServer(
      { keepAliveTimeout: 0, requestTimeout: 0, headersTimeout: 0 },
      (request, response) => void this.#serve(request, response),
    );
    this.#server.timeout = 0;
    this.#server.on('clientError', (cause) => void options.gate.destroy(cause));
  }

  /** Resolves when the connection is over; rejects with what was wrong with it. */
  async run(): Promise<void> {
    const { gate } = this.options;
    this.#server.emit('connection', gate);
    gate.start(this);
    await gate.over;
    await this.#websocket;
  }

  #websocket: Promise<void> | undefined;

  /** The WebSocket that the connection has become. */
  get passage(): WebSocketPassage | undefined {
    return this.#passage;
  }

  onRequest(request: ClientRequest): void {
    this.#request = request;
  }

  onWebSocket(request: ClientRequest, ahead: Buffer): void {
    this.#websocket = this.#tunnel(request, ahead);
    // Whoever waits for the gate learns it from there.
    this.#websocket.then(
      () => this.options.gate.destroy(),
      (cause: unknown) => this.options.gate.fail(cause),
    );
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#agent.destroy();
    this.#server.close();
    this.#server.closeAllConnections();
    this.options.gate.silence();
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { gate } = this.options;
    const wanted = this.#request;
    if (!wanted) return void response.destroy();
    response.on('error', () => {});
    const closed = new Promise<void>((resolve) => response.once('close', resolve));
    let admitted: Admitted | undefined;
    try {
      admitted = await this.#admit(wanted);
      if (!response.destroyed) {
        if (wanted.continues) response.writeContinue();
        const { head, framing, close } = wanted;
        const bodyLength = framing.kind === 'length' ? framing.length : undefined;
        const body = framing.kind === 'length' || framing.kind === 'chunked' ? framing.kind : 'none';
        request.method = head.method;
        await this.#forwarder.forward({ request, response, ...admitted, body, bodyLength, close });
      }
    } catch (cause) {
      this.#answer(response, wanted, cause);
    }
    await closed;
    await this.#completed(admitted, response.headersSent ? response : undefined);
    gate.answered();
  }

  /** Decides and records a request. Rejects where it must not be forwarded. */
  async #admit(wanted: ClientRequest): Promise<Admitted> {
    const { context, grant, client, journal } = this.options;
    const { head } = wanted;
    const { spec } = context.resource;
    const began = performance.now();
    const path = readRequestPath(head.target, spec.path_parameters);
    for (const reading of path.readings) {
      const hold = grant.check({ method: head.method, path: reading });
      if (hold) await hold;
    }
    const sequence = (this.#sequence += 1);
    await journal.request(this.#fields(wanted, path, sequence));
    const more = {
      ...spec.headers,
      ...this.options.secrets,
      ...(spec.assertion.enabled && { [spec.assertion.header]: await this.#assertions.current() }),
    };
    const told = { host: hostOf(spec), user: grant.identity.user, source: client.source, more };
    return { path: `${spec.path_prefix ?? ''}${path.forwarded}`, fields: requestFields(head, told), sequence, began };
  }

  #fields({ head, websocket }: ClientRequest, { readings: [path], query }: RequestPath, sequence: number) {
    const { config } = this.options.context;
    const cut = (text: string | undefined, most: number): string | undefined => text?.slice(0, most);
    const [host] = head.fields.all('host');
    const [agent] = head.fields.all('user-agent');
    const shown = cut(query, config.max_query_characters);
    return {
      connection: this.options.client.connection,
      sequence,
      method: head.method,
      path,
      ...(shown !== undefined && shown !== '' && { query: shown }),
      ...(host !== undefined && { host: cut(host, 256) }),
      ...(agent !== undefined && { agent: cut(agent, 256) }),
      ...(websocket && { upgrade: 'websocket' as const }),
      ...(shown !== query && { truncated: true }),
    };
  }

  #answer(response: ServerResponse, { head }: ClientRequest, cause: unknown): void {
    const { context } = this.options;
    // The session is being cut: the last word is that of the denial.
    if (context.signal.aborted || response.destroyed) return;
    if (response.headersSent) return void response.destroy();
    const error = PosternError.from(cause);
    context.log.debug('a request was refused', { cause: error.message });
    const { status, phrase, headers, body } = refusalOf(error, head.fields.all('accept')[0]);
    for (const name of response.getHeaderNames()) response.removeHeader(name);
    response.writeHead(status, phrase, headers);
    response.end(head.method === 'HEAD' ? undefined : body);
  }

  async #completed(admitted: Admitted | undefined, response: ServerResponse | undefined): Promise<void> {
    if (!admitted) return;
    const { gate, journal, client, context } = this.options;
    const type = response?.getHeader('content-type');
    await Promise.resolve(
      journal.completed({
        connection: client.connection,
        sequence: admitted.sequence,
        ...(response && { status: response.statusCode }),
        bytesIn: gate.bytesIn,
        bytesOut: gate.bytesOut,
        durationMs: Math.round(performance.now() - admitted.began),
        ...(typeof type === 'string' && { type: type.slice(0, 128) }),
        complete: response?.writableFinished === true,
      }),
    ).catch((cause: unknown) => context.log.warn('a recording has a gap', { cause: PosternError.from(cause).message }));
  }

  async #tunnel(wanted: ClientRequest, ahead: Buffer): Promise<void> {
    const { context, client, journal } = this.options;
    const { path, fields, sequence, began } = await this.#admit(wanted);
    const passage = new WebSocketPassage({
      agent: this.#agent,
      client: client.stream,
      head: wanted.head,
      ahead,
      path,
      fields,
      responseMs: context.config.response_timeout_seconds * 1000,
      signal: context.signal,
    });
    this.#passage = passage;
    let complete = false;
    try {
      await passage.run();
      complete = true;
    } finally {
      const { bytesIn, bytesOut, status } = passage;
      await journal.completed({
        connection: client.connection,
        sequence,
        ...(status !== undefined && { status }),
        bytesIn,
        bytesOut,
        durationMs: Math.round(performance.now() - began),
        complete,
      });
    }
  }

  /** The words of a denial in the middle of it, where there is a place for them. */
  async farewell(denial: Denial): Promise<boolean> {
    if (!this.#passage || this.#passage.state === 'asking') return false;
    await this.#passage.farewell(denial);
    return true;
  }
}
