import tls from 'node:tls';
import { PosternError } from '@postern/plugin-sdk';
import { TlsListener, type Fetch } from '../api/http-listener.js';
import type { Dialer, LiveConnections } from '../tunnels/index.js';
import { WebPages } from '../web/pages/index.js';
import { contextOf, SocketPairs, WebCertificate, WebGateway, type WebKeyPair } from '../web/gateway/index.js';
import type { ProcessParts } from './open-agent.js';
import { renewedListener } from './renewed-listener.js';
import type { Shutdown } from './shutdown.js';
import { webEnd } from './web-end.js';
import { localDialer } from '../tunnels/index.js';

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

/** Opens what answers at the cluster's own name and at the hosts of applications. */
export async function openWeb(parts: ProcessParts, shutdown: Shutdown, connections: LiveConnections): Promise<Dialer> {
  const { configuration, plugins, state, auth, readiness, table, now } = parts;
  const { cluster, proxy } = configuration;
  followWebSessions(parts, shutdown);
  const pairs = shutdown.keep(
    'the way from browsers to agents',
    await SocketPairs.open(await state.directory.freshWebSocket()),
  );
  let context: tls.SecureContext | undefined;
  const strictTransport = proxy.web.certificate !== undefined;
  const gateway = new WebGateway({
    cluster,
    sessions: auth.web,
    agents: table,
    connections,
    pairs,
    authorities: () => state.view.bundle('host').x509,
    now,
    appsDomain: proxy.web.apps_domain,
    plugins: [...plugins].map(({ plugin }) => plugin),
    protocols: plugins.protocols,
    resources: () => state.view.resources,
    strictTransport,
    context: () => (context ??= tls.createSecureContext()),
  });
  const pages = new WebPages({
    cluster,
    sessions: auth.web,
    strictTransport,
    appsDomain: proxy.web.apps_domain,
    linkOf: (resource) => gateway.linkOf(resource),
    also: (request, { source }) => gateway.fetch(request, source),
    log: parts.logger,
  });
  const fetch = webEnd({ api: auth.fetchPublic, readiness, pages: pages.fetch });
  gateway.serve(fetch);
  const listener = await webListener(parts, shutdown, { fetch, changed: (pair) => (context = contextOf(pair)) });
  shutdown.keep('the gateway of browsers', gateway);
  return localDialer((handover) =>
    gateway.takes(handover) ? gateway.accept(handover) : listener.accept(handover.socket, handover.source),
  );
}

/** What answers to HTTP/2, with the certificate that browsers are shown. */
async function webListener(
  parts: ProcessParts,
  shutdown: Shutdown,
  { fetch, changed }: { readonly fetch: Fetch; readonly changed: (pair: WebKeyPair) => void },
): Promise<TlsListener> {
  const { cluster, proxy } = parts.configuration;
  const { certificate, key } = proxy.web;
  // The cluster's own authority certifies no wildcards: hosts of applications need files.
  if (certificate === undefined || key === undefined)
    return renewedListener(parts, shutdown, { names: [cluster], service: 'proxy', fetch, changed });
  const renew = (pair: WebKeyPair): void => {
    changed(pair);
    made.renew(pair);
  };
  const files = await WebCertificate.open({ certificate, key }, { log: parts.logger, changed: renew });
  shutdown.after('the certificate of browsers', () => files[Symbol.dispose]());
  const made = new TlsListener({ ...files.pair, minVersion: 'TLSv1.2', fetch });
  changed(files.pair);
  return shutdown.keep('the listener of proxy', made);
}
