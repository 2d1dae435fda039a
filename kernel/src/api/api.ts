import { Hono, type Context } from 'hono';
import { bodyLimit } from 'hono/body-limit';
import { Readable } from 'node:stream';
import type { ReadableStream } from 'node:stream/web';
import { PosternError, type Logger } from '@postern/plugin-sdk';
import { type Caller } from './caller.js';
import type { Verb } from './contract/index.js';
import type { Handler } from './handler.js';
import { httpStatusOf } from './http-status.js';
import { openApi } from './openapi.js';

const maxBodyBytes = 1024 * 1024;

export interface ApiOptions<Bindings extends object> {
  readonly cluster: string;
  readonly version: string;
  readonly handlers: readonly Handler[];
  /** Who makes this request: decided by the transport, from nothing that the request says. */
  callerOf(transport: Bindings): Promise<Caller>;
  /**
   * Whether a caller who is somebody may call at all and, where a rule is named,
   * has it in a role. Rejects with why not: `access_denied`, `locked`, `expired` and their like.
   */
  authorize(caller: Caller, rule?: { readonly kind: string; readonly verb: Verb }): Promise<void>;
  readonly log: Logger;
}

/** The cluster's HTTP API: every endpoint of the contract that has a handler, and its own description. */
export class Api<Bindings extends object> {
  readonly #app = new Hono<{ Bindings: Bindings }>();

  constructor(private readonly options: ApiOptions<Bindings>) {
    const description = openApi(
      options,
      options.handlers.map(({ endpoint }) => endpoint),
    );
    this.#app.use(bodyLimit({ maxSize: maxBodyBytes, onError: (c) => this.#refuse(c, tooLarge()) }));
    this.#app.get('/v1/openapi.json', (c) => c.json(description));
    for (const handler of options.handlers) this.#mount(handler);
    this.#app.notFound((c) => this.#refuse(c, PosternError.public('not_found', `${c.req.path} is no part of the API`)));
    this.#app.onError((cause, c) => this.#refuse(c, cause));
  }

  /** Answers one request. The transport is what {@link ApiOptions.callerOf} takes. */
  readonly fetch = (request: Request, transport: Bindings): Response | Promise<Response> =>
    this.#app.fetch(request, transport);

  #mount(handler: Handler): void {
    const { method, path } = handler.endpoint;
    this.#app.on(method, path.replaceAll(/\{(\w+)\}/g, ':$1'), (c) => this.#answer(c, handler));
  }

  async #answer(c: Context<{ Bindings: Bindings }>, handler: Handler): Promise<Response> {
    const { endpoint } = handler;
    const caller = await this.options.callerOf(c.env);
    await this.#admit(caller, endpoint.access);
    const input = endpoint.input.safeParse(await inputOf(c));
    if (!input.success) throw PosternError.public('invalid_argument', describe(input.error.issues));
    const answer = await handler.handle(input.data, { caller, signal: c.req.raw.signal });
    if (endpoint.delivery === 'bytes')
      return c.body(Readable.toWeb(answer as Readable) as unknown as globalThis.ReadableStream, 200, {
        'content-type': 'application/octet-stream',
      });
    if (endpoint.delivery === 'stream')
      return c.body(ndjson(answer as AsyncIterable<unknown>) as unknown as globalThis.ReadableStream, 200, {
        'content-type': 'application/x-ndjson',
      });
    return c.json(answer as object);
  }

  async #admit(caller: Caller, access: Handler['endpoint']['access']): Promise<void> {
    if (access === 'public') return;
    if (caller.who.kind === 'anonymous')
      throw PosternError.public('unauthenticated', caller.who.problem ?? 'log in first: psh login');
    await this.options.authorize(caller, access === 'user' ? undefined : access);
  }

  #refuse(c: Context, cause: unknown): Response {
    const { code, message, publicMessage } = PosternError.from(cause);
    if (code === 'internal') this.options.log.error('the API failed', { path: c.req.path, cause: message });
    return c.json({ error: { code, message: publicMessage } }, httpStatusOf(code));
  }
}

const tooLarge = (): PosternError =>
  PosternError.public('limit_exceeded', `a request has at most ${maxBodyBytes} bytes`);

async function inputOf(c: Context): Promise<Record<string, unknown>> {
  const fromPath = c.req.param() as Record<string, unknown>;
  if (c.req.method === 'GET' || c.req.method === 'DELETE') return { ...c.req.query(), ...fromPath };
  const text = await c.req.text();
  const body: unknown = text === '' ? {} : parseJson(text);
  if (typeof body !== 'object' || body === null || Array.isArray(body))
    throw PosternError.public('invalid_argument', 'the body must be a JSON object');
  return { ...body, ...fromPath };
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    throw PosternError.public('invalid_argument', 'the body is not JSON');
  }
}

const describe = (issues: readonly { readonly path: readonly PropertyKey[]; readonly message: string }[]): string =>
  issues
    .map(({ path, message }) => (path.length > 0 ? `${path.map(String).join('.')}: ${message}` : message))
    .join('; ');

function ndjson(values: AsyncIterable<unknown>): ReadableStream {
  async function* lines(): AsyncGenerator<Buffer> {
    for await (const value of values) yield Buffer.from(`${JSON.stringify(value)}\n`);
  }
  return Readable.toWeb(Readable.from(lines(), { objectMode: false }));
}
