import { PosternError, type Plugin } from '@postern/plugin-sdk';
import {
  LiveConnections,
  localDialer,
  portLimits,
  PublicPort,
  routeName,
  Router,
  type ConnectionRefused,
  type ProxyHalf,
  type PublicPortOptions,
} from '../tunnels/index.js';
import type { ProcessParts } from './open-agent.js';
import { openWeb } from './open-web.js';
import { renewedListener } from './renewed-listener.js';
import type { Shutdown } from './shutdown.js';

/** The ports of a proxy. */
export interface OpenProxy {
  readonly port: PublicPort;
  /** In the order of `proxy.ports`. */
  readonly dedicatedPorts: readonly PublicPort[];
}

/** Starts the public port and those for single kinds. The Auth Service and the agent of this process are reached by hand-over. */
export async function openProxy(parts: ProcessParts, shutdown: Shutdown): Promise<OpenProxy> {
  const { configuration, plugins, state, auth, table, now } = parts;
  const { cluster, proxy } = configuration;
  const authEnd = await renewedListener(parts, shutdown, {
    names: [`auth.${cluster}`],
    service: 'auth',
    clientAuthorities: () => [...state.view.bundle('user').x509, ...state.view.bundle('host').x509],
    fetch: auth.fetch,
  });
  const connections = new LiveConnections({ now, signalsPerSecond: portLimits.signalsPerSecond });
  const web = await openWeb(parts, shutdown, connections);
  const options = {
    router: new Router({
      cluster,
      isKind: (id) => plugins.protocols.has(id),
      ...(proxy.web.apps_domain !== undefined && { appDomains: [proxy.web.apps_domain] }),
    }),
    services: {
      auth: localDialer(({ socket, source }) => authEnd.accept(socket, source)),
      web,
    },
    agents: table,
    connections,
    halves: [...plugins].flatMap(({ plugin }) => proxyHalf(plugin)),
    trustedProxies: proxy.trusted_proxies,
    limits: { perAddress: proxy.connections_per_address },
    refused: (event: ConnectionRefused) => record(parts, event),
  };
  const port = shutdown.keep('the public port', await PublicPort.listen(options, proxy.listen));
  const dedicatedPorts = await openDedicatedPorts(parts, shutdown, options);
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
