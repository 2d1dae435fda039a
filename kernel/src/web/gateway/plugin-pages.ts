import { PosternError, type Plugin, type WebModule } from '@postern/plugin-sdk';
import { html, Html, layout, loginPath, pageHeaders, readCookie, sessionCookie } from '../pages/index.js';
import type { WebSessions } from '../sessions/index.js';
import { AssetFiles, streamOf } from './asset-files.js';
import { readResourcePath, resourcePath, type ResourcePath } from './resource-path.js';

export interface PluginPagesOptions {
  readonly cluster: string;
  readonly sessions: WebSessions;
  readonly plugins: Iterable<Plugin>;
  readonly strictTransport: boolean;
}

interface Half {
  readonly web: WebModule;
  readonly files: AssetFiles;
}

/** What stands in place of a resource's name where the files of its kind are. */
const assets = 'assets';

/** The pages of plugins at the cluster's own name: `/web/<kind>/<name>/` with the plugin's element in it, and its files. */
export class PluginPages {
  readonly #halves = new Map<string, Half>();

  constructor(private readonly options: PluginPagesOptions) {
    for (const { protocol, web } of options.plugins)
      if (web) this.#halves.set(protocol.id, { web, files: new AssetFiles(web.assets) });
  }

  /** True for kinds whose resources have a page. */
  has(kind: string): boolean {
    return this.#halves.get(kind)?.web.views.launch !== undefined;
  }

  /** `undefined` for what is not for plugins. Rejects as {@link WebSessions.resources} does. */
  async fetch(request: Request, address: string): Promise<Response | undefined> {
    const { pathname } = new URL(request.url);
    const path = readResourcePath(pathname);
    const half = path && this.#halves.get(path.kind);
    if (!path || !half || (request.method !== 'GET' && request.method !== 'HEAD')) return undefined;
    return path.name === assets ? this.#file(half, path.rest, request) : this.#page(half, path, { request, address });
  }

  async #file({ files }: Half, rest: string, request: Request): Promise<Response> {
    const file = await files.find(rest.slice(1));
    if (!file) throw PosternError.public('not_found', 'there is no such file');
    const headers = {
      etag: file.etag,
      'content-type': file.type,
      'cache-control': 'no-cache',
      'x-content-type-options': 'nosniff',
      'cross-origin-resource-policy': 'same-origin',
      'content-security-policy': "default-src 'none'; frame-ancestors 'none'",
    };
    if (request.headers.get('if-none-match') === file.etag) return new Response(null, { status: 304, headers });
    const body = request.method === 'HEAD' ? null : streamOf(file);
    return new Response(body, { headers: { ...headers, 'content-length': String(file.body.length) } });
  }

  async #page(
    { web }: Half,
    { kind, name, rest }: ResourcePath,
    { request, address }: { readonly request: Request; readonly address: string },
  ): Promise<Response | undefined> {
    const view = web.views.launch;
    if (rest !== '/' || !view) return undefined;
    const { sessions, cluster } = this.options;
    const path = resourcePath({ kind, name });
    const cookie = readCookie(request.headers.get('cookie'), sessionCookie);
    const session = cookie === undefined ? undefined : await sessions.session(cookie, address);
    if (cookie === undefined || !session) return redirectTo(loginPath(path));
    const found = (await sessions.resources(cookie, address)).find((one) => one.kind === kind && one.name === name);
    if (!found) throw PosternError.public('not_found', 'there is no such resource, or it is not for you');
    const element = elementOf(view.element, {
      resource: name,
      user: session.user,
      principals: found.principals.join(' '),
      socket: path,
    });
    const module = html`<script type="module" src="/web/${kind}/${assets}/${view.module}"></script>`;
    const { text } = layout({ cluster, title: `${found.title}: ${name}`, body: [element, module] });
    return new Response(text, { headers: { ...this.#headers(web), 'content-type': 'text/html; charset=utf-8' } });
  }

  #headers({ wasm }: WebModule): Record<string, string> {
    const scripts = wasm === true ? "'self' 'wasm-unsafe-eval'" : "'self'";
    return {
      ...pageHeaders(this.options),
      'content-security-policy':
        `default-src 'none'; script-src ${scripts}; style-src 'self'; img-src 'self' data: blob:; ` +
        `font-src 'self'; connect-src 'self' wss://${this.options.cluster}:*; worker-src 'self'; ` +
        "form-action 'self'; frame-ancestors 'none'; base-uri 'none'",
    };
  }
}

/** An element whose name a plugin chose, which was checked to be one. */
function elementOf(name: string, attributes: Readonly<Record<string, string>>): Html {
  if (!/^[a-z][a-z0-9]*(-[a-z0-9]+)+$/.test(name)) throw new PosternError('internal', `${name} is no custom element`);
  const set = Object.entries(attributes).map(([key, value]) => html` ${key}="${value}"`);
  return html`${new Html(`<${name}`)}${set}${new Html(`></${name}>`)}`;
}

export const redirectTo = (location: string): Response =>
  new Response(null, {
    status: 303,
    headers: { location, 'cache-control': 'no-store', 'referrer-policy': 'no-referrer' },
  });
