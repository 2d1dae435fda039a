import { Hono, type Context } from 'hono';
import { bodyLimit } from 'hono/body-limit';
import { Readable } from 'node:stream';
import { PosternError, type Logger } from '@postern/plugin-sdk';
import { type Caller } from './caller.js';
import type { Verb } from './contract/index.js';
import type { Handler } from './handler.js';
import { httpStatusOf } from './http-status.js';
import { openApi } from './openapi.js';
import { requestInput } from './request-input.js';
import { Standing } from './standing.js';

const maxBodyBytes = 1024 * 1024;

export interface ApiOptions<Bindings extends object> {
  readonly cluster: string;
  readonly version: string;
  readonly handlers: readonly Handler[];
  /** Who makes this request: decided by the transport, from nothing that the request says. */
  callerOf(transport: Bindings): Promise<Caller>;
  /**
   * Whether the caller is somebody who may call at all and, where a rule is named,
   * has it in a role. Rejects with why not: `unauthenticated`, `access_denied`, `locked` and their like.
   */
  authorize(caller: Caller, rule?: { readonly kind: string; readonly verb: Verb }): Promise<void>;
  /** Calls the listener after every change of what `authorize` decides by, until the returned function is called. */
  onChange(listener: () => void): () => void;
  readonly log: Logger;
}

interface Mounted {
  readonly handler: Handler;
  readonly schema: Handler['endpoint']['input'];
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
    const { method, path, input } = handler.endpoint;
    // A member that nobody knows is a mistake, and not one to be silent about.
    const mounted = { handler, schema: input.strict() };
    this.#app.on(method, path.replaceAll(/\{(\w+)\}/g, ':$1'), (c) => this.#answer(c, mounted));
  }

  async #answer(c: Context<{ Bindings: Bindings }>, { handler, schema }: Mounted): Promise<Response> {
    const { endpoint } = handler;
    const caller = await this.options.callerOf(c.env);
    const admit = (): Promise<void> => this.#admit(caller, endpoint.access);
    await admit();
    const input = schema.safeParse(await requestInput(c));
    if (!input.success) throw PosternError.public('invalid_argument', describe(input.error.issues));
    const { signal: gone } = c.req.raw;
    if (endpoint.delivery === undefined || endpoint.delivery === 'json')
      return c.json((await handler.handle(input.data, { caller, signal: gone })) as object);
    const standing = new Standing({ check: admit, onChange: (listener) => this.options.onChange(listener), gone });
    try {
      const { signal } = standing;
      const answer = await handler.handle(input.data, { caller, signal });
      const isBytes = endpoint.delivery === 'bytes';
      const body = isBytes ? (answer as Readable) : ndjson(answer as AsyncIterable<unknown>);
      body.once('close', () => standing[Symbol.dispose]());
      if (isBytes) signal.addEventListener('abort', () => body.destroy(PosternError.from(signal.reason)));
      return c.body(Readable.toWeb(body) as unknown as ReadableStream, 200, {
        'content-type': isBytes ? 'application/octet-stream' : 'application/x-ndjson',
      });
    } catch (cause) {
      standing[Symbol.dispose]();
      throw cause;
    }
  }

  async #admit(caller: Caller, access: Handler['endpoint']['access']): Promise<void> {
    if (access === 'proxy') return mustBeProxy(caller);
    if (access !== 'public') await this.options.authorize(caller, access === 'user' ? undefined : access);
  }

  #refuse(c: Context, cause: unknown): Response {
    const { code, message, publicMessage } = PosternError.from(cause);
    if (code === 'internal') this.options.log.error('the API failed', { path: c.req.path, cause: message });
    return c.json({ error: { code, message: publicMessage } }, httpStatusOf(code));
  }
}

function mustBeProxy({ proxy, who }: Caller): void {
  if (proxy !== undefined) return;
  const code = who.kind === 'anonymous' ? 'unauthenticated' : 'access_denied';
  throw PosternError.public(code, 'only proxies of the cluster may ask this');
}

const tooLarge = (): PosternError =>
  PosternError.public('limit_exceeded', `a request has at most ${maxBodyBytes} bytes`);

const describe = (issues: readonly { readonly path: readonly PropertyKey[]; readonly message: string }[]): string =>
  issues
    .map(({ path, message }) => (path.length > 0 ? `${path.map(String).join('.')}: ${message}` : message))
    .join('; ');

function ndjson(values: AsyncIterable<unknown>): Readable {
  async function* lines(): AsyncGenerator<Buffer> {
    for await (const value of values) yield Buffer.from(`${JSON.stringify(value)}\n`);
  }
  return Readable.from(lines(), { objectMode: false });
}
