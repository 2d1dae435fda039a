import net from 'node:net';
import type tls from 'node:tls';
import { getRequestListener } from '@hono/node-server';
import type { Plugin } from '@postern/plugin-sdk';
import type { Fetch } from '../../api/http-listener.js';
import type { Handover } from '../../tunnels/index.js';
import type { WebResource } from '../sessions/index.js';
import { launchPath } from './app-cookies.js';
import { AppDirectory } from './app-directory.js';
import { AppHost } from './app-host.js';
import { BrowserPort, hostOf, type BrowserPortLimits } from './browser-port.js';
import { LaunchPage } from './launch-page.js';
import { PluginPages } from './plugin-pages.js';
import { ResourceCaller, type ResourceCallerOptions } from './resource-caller.js';
import { resourcePath } from './resource-path.js';
import { WebSocketBridge } from './web-socket-bridge.js';
import type { ResourceName } from '../sessions/index.js';
import type { AnyProtocol } from '@postern/plugin-sdk';

export interface WebGatewayOptions extends ResourceCallerOptions {
  readonly appsDomain: string | undefined;
  readonly plugins: Iterable<Plugin>;
  readonly protocols: ReadonlyMap<string, AnyProtocol>;
  resources(): Iterable<ResourceName>;
  /** True where browsers trust the certificate. */
  readonly strictTransport: boolean;
  /** The certificate of now. */
  context(): tls.SecureContext;
  readonly limits?: Partial<BrowserPortLimits>;
}

/** The browsers' way in: pages of plugins, WebSockets to resources, and the hosts of applications. */
export class WebGateway implements AsyncDisposable {
  readonly #caller: ResourceCaller;
  readonly #directory: AppDirectory;
  readonly #plugins: PluginPages;
  readonly #launch: LaunchPage;
  readonly #apps: AppHost;
  readonly #port: BrowserPort;
  #pages: Fetch = () => new Response(null, { status: 404 });

  constructor(private readonly options: WebGatewayOptions) {
    this.#caller = new ResourceCaller(options);
    this.#directory = new AppDirectory(options);
    this.#plugins = new PluginPages(options);
    this.#launch = new LaunchPage({ ...options, directory: this.#directory });
    this.#apps = new AppHost({ ...options, caller: this.#caller, directory: this.#directory });
    const bridge = new WebSocketBridge({ ...options, caller: this.#caller });
    this.#port = new BrowserPort({
      context: () => options.context(),
      ...(options.limits && { limits: options.limits }),
      matches: (name, host) => this.#matches(name, host),
      request: (request, response, from) => {
        if (this.#directory.isAppHost(from.name)) return this.#apps.request(request, response, from);
        const transport = { certificate: undefined, source: from.address, connection: request.socket };
        const answer = getRequestListener((asked) => this.#pages(asked, transport), { overrideGlobalObjects: false });
        // Handled inside: the listener answers every failure itself.
        void answer(request, response);
      },
      upgrade: (upgrade, from) => {
        if (this.#directory.isAppHost(from.name)) return this.#apps.upgrade(upgrade, from);
        // Handled inside.
        void bridge.take(upgrade, from.address);
      },
    });
  }

  /** Who answers at the cluster's own name, once it is known. */
  serve(pages: Fetch): void {
    this.#pages = pages;
  }

  /** Whether this gateway ends a connection; the others are of programs, and of browsers that know HTTP/2. */
  takes({ name, hello }: Handover): boolean {
    return this.#directory.isAppHost(canonical(name)) || hello?.alpn.includes('h2') !== true;
  }

  accept({ socket, source }: Handover): void {
    this.#port.accept(socket, source);
  }

  /** The pages that are ours, at the cluster's own name. `undefined` leaves a request to others. */
  async fetch(request: Request, source: string): Promise<Response | undefined> {
    if (!this.isOwnHost(new URL(request.url).hostname)) return new Response('Misdirected Request\n', { status: 421 });
    return (await this.#launch.fetch(request, source)) ?? (await this.#plugins.fetch(request, source));
  }

  /** Where the launcher leads. */
  linkOf({ kind, name }: Pick<WebResource, 'kind' | 'name'>): string | undefined {
    const app = this.#directory.hostOf({ kind, name });
    if (app !== undefined) return `${launchPath}?${new URLSearchParams({ app }).toString()}`;
    return this.#plugins.has(kind) ? resourcePath({ kind, name }) : undefined;
  }

  /** The cluster itself: by its name, or as somebody at the machine writes it. */
  isOwnHost(host: string): boolean {
    return host === this.options.cluster || host === 'localhost' || net.isIP(host.replace(/^\[(.*)\]$/, '$1')) !== 0;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#apps[Symbol.dispose]();
    this.#caller[Symbol.dispose]();
    await this.#port[Symbol.asyncDispose]();
  }

  /** Whoever named a host in TLS asks for it in HTTP too; who named none, or an address, can mean the cluster alone. */
  #matches(name: string, host: string): boolean {
    if (this.#directory.isAppHost(name)) return host === name;
    if (name === this.options.cluster) return host === name;
    return this.isOwnHost(host);
  }
}

const canonical = (name: string): string => hostOf(name);
