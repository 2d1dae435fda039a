import { Hono, type Context } from 'hono';
import { bodyLimit } from 'hono/body-limit';
import { PosternError, type Logger } from '@postern/plugin-sdk';
import type { Fetch, Transport } from '../../api/http-listener.js';
import { httpStatusOf } from '../../api/http-status.js';
import type { WebResource, WebSession, WebSessions } from '../sessions/index.js';
import { forgetCookie, formCookie, readCookie, sessionCookie, setCookie } from './cookies.js';
import { formToken, isFormToken } from './form-token.js';
import type { Html } from './html.js';
import { launcherPage } from './launcher-page.js';
import { problemPage } from './layout.js';
import { readLogin } from './login-form.js';
import { loginPage } from './login-page.js';
import { launcherPath, loginPath, nextPage } from './next-page.js';
import { isFromOwnOrigin } from './own-origin.js';
import { pageHeaders, type PageHeadersOptions } from './page-headers.js';
import { stylesheet } from './stylesheet.js';
import { randomBytes } from 'node:crypto';

export interface WebPagesOptions extends PageHeadersOptions {
  readonly cluster: string;
  readonly sessions: WebSessions;
  /** The page or the application of a resource, where it has one. */
  readonly linkOf?: (resource: WebResource) => string | undefined;
  /** Answers what is asked for besides the pages here; `undefined` leaves a request to them. What it rejects with is a page. */
  readonly also?: (request: Request, transport: Transport) => Promise<Response | undefined>;
  readonly log: Logger;
}

type PageContext = Context<{ Bindings: Transport }>;

/** No form of these pages is as long. */
const maxFormBytes = 65_536;

/** The pages at the cluster's own name: the login, the launcher, and the way out. They work without scripts. */
export class WebPages {
  readonly #app = new Hono<{ Bindings: Transport }>();
  readonly #headers: Readonly<Record<string, string>>;

  constructor(private readonly options: WebPagesOptions) {
    this.#headers = pageHeaders(options);
    const app = this.#app;
    app.use(async (c, next) => {
      for (const [name, value] of Object.entries(this.#headers)) c.header(name, value);
      await next();
    });
    app.use(async (c, next) => (await options.also?.(c.req.raw, c.env)) ?? next());
    app.use(bodyLimit({ maxSize: maxFormBytes, onError: (c: PageContext) => this.#problem(c, tooLarge()) }));
    app.get('/', (c) => c.redirect(launcherPath, 303));
    app.get('/web', (c) => c.redirect(launcherPath, 303));
    app.get('/web/postern.css', (c) =>
      c.body(stylesheet, 200, { 'content-type': 'text/css; charset=utf-8', 'cache-control': 'max-age=86400' }),
    );
    app.get('/web/login', (c) => this.#showLogin(c));
    app.post('/web/login', (c) => this.#login(c));
    app.post('/web/logout', (c) => this.#logout(c));
    app.get(launcherPath, (c) => this.#launcher(c));
    app.notFound((c) => this.#problem(c, PosternError.public('not_found', 'there is no such page')));
    app.onError((cause, c) => this.#problem(c, cause));
  }

  /** Answers a request of a browser at the cluster's own name. */
  readonly fetch: Fetch = (request, transport) => this.#app.fetch(request, transport);

  async #showLogin(c: PageContext): Promise<Response> {
    const next = nextPage(c.req.query('next'));
    if (await this.#session(c)) return c.redirect(next, 303);
    return this.#html(c, loginPage({ cluster: this.options.cluster, token: this.#loginToken(c), next }));
  }

  async #login(c: PageContext): Promise<Response> {
    const fields = await this.#form(c, formCookie);
    const next = nextPage(c.req.query('next'));
    try {
      const { cookie } = await this.options.sessions.login(readLogin(fields), c.env.source);
      await this.#leave(c);
      c.header('set-cookie', setCookie(sessionCookie, cookie), { append: true });
      c.header('set-cookie', forgetCookie(formCookie), { append: true });
      return c.redirect(next, 303);
    } catch (cause) {
      const error = this.#known(c, cause);
      const newPassword = error.code === 'password_change_required' || fields.has('newPassword');
      const page = loginPage({
        cluster: this.options.cluster,
        token: this.#loginToken(c),
        next,
        user: (fields.get('user') ?? '').slice(0, 64),
        problem: `${sentence(error.publicMessage)}.`,
        newPassword,
      });
      return this.#html(c, page, httpStatusOf(error.code));
    }
  }

  async #logout(c: PageContext): Promise<Response> {
    await this.#form(c, sessionCookie);
    await this.#leave(c);
    c.header('set-cookie', forgetCookie(sessionCookie), { append: true });
    return c.redirect(loginPath(), 303);
  }

  async #launcher(c: PageContext): Promise<Response> {
    const cookie = cookieOf(c, sessionCookie);
    const session = await this.#session(c);
    if (!session || cookie === undefined) return c.redirect(loginPath(), 303);
    const { cluster, sessions, linkOf = () => undefined } = this.options;
    const resources = await sessions.resources(cookie, c.env.source);
    return this.#html(c, launcherPage({ cluster, session, token: formToken(cookie), resources, linkOf }));
  }

  /** The fields of a form that this browser was shown. Rejects with `access_denied` for any other. */
  async #form(c: PageContext, cookie: string): Promise<URLSearchParams> {
    const type = c.req.header('content-type') ?? '';
    if (!isFromOwnOrigin(c.req.raw) || !/^application\/x-www-form-urlencoded\s*(;|$)/i.test(type)) throw foreign();
    const fields = new URLSearchParams(await c.req.text());
    if (!isFormToken(fields.get('token') ?? '', cookieOf(c, cookie))) throw foreign();
    return fields;
  }

  /** Ends the session that the browser had, whose cookie may be known to somebody else. */
  async #leave(c: PageContext): Promise<void> {
    const before = cookieOf(c, sessionCookie);
    if (before !== undefined) await this.options.sessions.logout(before, c.env.source);
  }

  async #session(c: PageContext): Promise<WebSession | undefined> {
    const cookie = cookieOf(c, sessionCookie);
    return cookie === undefined ? undefined : this.options.sessions.session(cookie, c.env.source);
  }

  /** The token for the next form, and the cookie that it is made of. */
  #loginToken(c: PageContext): string {
    const value = cookieOf(c, formCookie) ?? randomBytes(32).toString('base64url');
    c.header('set-cookie', setCookie(formCookie, value), { append: true });
    return formToken(value);
  }

  #known(c: PageContext, cause: unknown): PosternError {
    const error = PosternError.from(cause);
    if (error.code === 'internal') this.options.log.error('a page failed', { path: c.req.path, cause: error.message });
    return error;
  }

  #problem(c: PageContext, cause: unknown): Response {
    const error = this.#known(c, cause);
    const text = `${sentence(error.publicMessage)}.`;
    for (const [name, value] of Object.entries(this.#headers)) c.header(name, value);
    const title = titles[error.code] ?? 'This did not work';
    return this.#html(c, problemPage({ cluster: this.options.cluster, title, text }), httpStatusOf(error.code));
  }

  #html(c: PageContext, { text }: Html, status: ReturnType<typeof httpStatusOf> | 200 = 200): Response {
    return c.body(text, status, { 'content-type': 'text/html; charset=utf-8' });
  }
}

const titles: Partial<Record<PosternError['code'], string>> = {
  not_found: 'Not found',
  access_denied: 'Not allowed',
  rate_limited: 'Too many requests',
};

const cookieOf = (c: PageContext, name: string): string | undefined => readCookie(c.req.header('cookie'), name);

const foreign = (): PosternError =>
  PosternError.public('access_denied', 'this form is too old or was not made for this browser: reload the page');

const tooLarge = (): PosternError => PosternError.public('limit_exceeded', 'the form is too large');

const sentence = (text: string): string => text.charAt(0).toUpperCase() + text.slice(1);
