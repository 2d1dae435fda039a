import { PosternError, type Plugin } from '@postern/plugin-sdk';
import { TlsListener } from '../api/http-listener.js';
import {
  localDialer,
  PublicPort,
  routeName,
  Router,
  type ConnectionRefused,
  type ProxyHalf,
  type PublicPortOptions,
} from '../tunnels/index.js';
import { WebPages } from '../web/pages/index.js';
import type { ProcessParts } from './open-agent.js';
import { certifyService } from './service-certificate.js';
import type { Shutdown } from './shutdown.js';
import { webEnd } from './web-end.js';

/** How often certificates of this process are looked at. */
const renewalCheckMs = 3_600_000;

/** The ports of a proxy. */
export interface OpenProxy {
  readonly port: PublicPort;
  /** In the order of `proxy.ports`. */
  readonly dedicatedPorts: readonly PublicPort[];
}

/** Keeps up with what ends sessions of browsers, until the end. */
function followWebSessions({ auth, readiness }: ProcessParts, shutdown: Shutdown): void {
  const following = new AbortController();
  const followed = auth.web.follow(following.signal).catch((cause: unknown) => {
    if (!following.signal.aborted) readiness.fail('the sessions of browsers', PosternError.from(cause).message);
  });
  shutdown.after('the sessions of browsers', () => {
    following.abort();
    return followed;
  });
}

/** Starts the public port and those for single kinds. The Auth Service and the agent of this process are reached by hand-over. */
export async function openProxy(parts: ProcessParts, shutdown: Shutdown): Promise<OpenProxy> {
  const { configuration, plugins, state, auth, table, readiness } = parts;
  const { cluster, proxy } = configuration;
  const authEnd = await listener(parts, shutdown, {
    names: [`auth.${cluster}`],
    service: 'auth',
    clientAuthorities: state.view.bundle('user').x509,
    fetch: auth.fetch,
  });
  followWebSessions(parts, shutdown);
  const api = auth.fetchPublic;
  const pages = new WebPages({
    cluster,
    sessions: auth.web,
    strictTransport: proxy.web.certificate !== undefined,
    appsDomain: proxy.web.apps_domain,
    log: parts.logger,
  });
  const web = await listener(parts, shutdown, {
    names: [cluster],
    service: 'proxy',
    fetch: webEnd({ api, checks: () => readiness.checks, pages: pages.fetch }),
  });
  const options = {
    router: new Router({ cluster, isKind: (id) => plugins.protocols.has(id) }),
    services: {
      auth: localDialer(({ socket, source }) => authEnd.accept(socket, source)),
      web: localDialer(({ socket, source }) => web.accept(socket, source)),
    },
    agents: table,
    halves: [...plugins].flatMap(({ plugin }) => proxyHalf(plugin)),
    trustedProxies: proxy.trusted_proxies,
    limits: { perAddress: proxy.connections_per_address },
    refused: (event: ConnectionRefused) => record(parts, event),
  };
  const port = shutdown.keep('the public port', await PublicPort.listen(options, proxy.listen));
  const dedicatedPorts = await openDedicatedPorts(parts, shutdown, { ...options, connections: port.connections });
  return { port, dedicatedPorts };
}

/** The ports that an operator gave to one kind each. Rejects with `invalid_config` for a kind that nobody speaks. */
async function openDedicatedPorts(
  { configuration: { cluster, proxy }, plugins }: ProcessParts,
  shutdown: Shutdown,
  options: PublicPortOptions,
): Promise<readonly PublicPort[]> {
  const opened: PublicPort[] = [];
  for (const { listen, kind, resource } of proxy.ports) {
    const enabled = [...plugins].find(({ plugin }) => plugin.protocol.id === kind);
    if (!enabled) throw PosternError.public('invalid_config', `proxy.ports: ${kind} is no kind of resource here`);
    const [half] = proxyHalf(enabled.plugin);
    const dedicated = {
      kind,
      ...(half && { half }),
      ...(resource !== undefined && { name: routeName(cluster, kind, resource) }),
    };
    const port = await PublicPort.listen({ ...options, dedicated }, listen);
    opened.push(shutdown.keep(`the port for ${kind}`, port));
  }
  return opened;
}

interface ListenerOptions extends Pick<ConstructorParameters<typeof TlsListener>[0], 'fetch' | 'clientAuthorities'> {
  readonly names: readonly string[];
  readonly service: 'auth' | 'proxy';
}

/** A TLS listener whose certificate is replaced in time. */
async function listener(
  { state, auth, now, logger }: ProcessParts,
  shutdown: Shutdown,
  { names, service, ...options }: ListenerOptions,
): Promise<TlsListener> {
  const request = { name: `${service}-${state.agent}`.slice(0, 63), services: [service], names };
  const context = { issuer: state.issuer, report: auth.report, now };
  let current = await certifyService(request, context);
  const made = new TlsListener({ ...options, ...current, minVersion: service === 'auth' ? 'TLSv1.3' : 'TLSv1.2' });
  const renew = async (): Promise<void> => {
    if (now() < current.renewAt) return;
    current = await certifyService(request, context);
    made.renew(current.certificate, current.key);
  };
  const timer = setInterval(() => {
    renew().catch((cause: unknown) =>
      logger.error('a certificate could not be renewed', { service, cause: String(cause) }),
    );
  }, renewalCheckMs).unref();
  shutdown.after('a renewal', () => clearInterval(timer));
  return shutdown.keep(`the listener of ${service}`, made);
}

/** A plugin's proxy half, where it has one. */
function proxyHalf(plugin: Plugin): readonly ProxyHalf[] {
  const half = plugin.proxy?.bind(plugin);
  return half ? [{ id: plugin.protocol.id, load: half }] : [];
}

/** A refusal at the port, as an event. The port has summed up repeated ones already. */
function record({ state, logger }: ProcessParts, { source, reason, detail, count }: ConnectionRefused): void {
  const times = count > 1 ? ` (${count} times)` : '';
  const fields = { code: reason, message: `${detail}${times}` };
  Promise.resolve()
    .then(() => state.events.emit({ type: 'connection.refused', source, fields }))
    .catch((cause: unknown) => logger.error('a refusal could not be recorded', { cause: String(cause) }));
}
