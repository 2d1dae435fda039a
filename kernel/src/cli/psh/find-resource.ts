import { PosternError, type AnyProtocol } from '@postern/plugin-sdk';
import type { ApiClient } from '../../api/api-client.js';
import { listResources } from '../../api/contract/documents.js';
import type { Reachable } from './configure.js';
import { Profile } from '../profile/profile.js';
import { withClient } from './with-client.js';

/** One resource that the user may reach, by its name or its full name. Rejects with `not_found` and what to do. */
export async function findResource(client: ApiClient, kind: string, name: string): Promise<Reachable> {
  const all = await client.call(listResources, { kind });
  const found = all.find((one) => one.name === name || one.hostname === name);
  if (found) return found;
  throw PosternError.public('not_found', `you may reach no ${kind} ${name}; see: psh ls`);
}

/** Rejects where the cluster says that there is no such resource. A cluster that says nothing stops nobody. */
export async function assureReachable(kind: string, name: string, cluster: string | undefined): Promise<void> {
  await withClient(cluster, (client) => findResource(client, kind, name)).catch((cause: unknown) => {
    if (PosternError.is(cause) && cause.code === 'not_found') throw cause;
  });
}

/**
 * How a resource is reached whose plugin this program does not have. The cluster
 * tells it as data; no code is ever loaded because a cluster names it.
 */
export async function askTransport(
  kind: string,
  name: string,
  cluster: string | undefined,
): Promise<AnyProtocol['transport']> {
  // Whoever is logged in nowhere may as well have mistyped a kind.
  await Profile.load(cluster).catch((cause: unknown) => {
    const { message } = PosternError.from(cause);
    throw PosternError.public('invalid_argument', `there is no kind ${kind} in this program, and ${message}`, cause);
  });
  const { transport } = await withClient(cluster, (client) => findResource(client, kind, name));
  if (!transport)
    throw PosternError.public('unavailable', `the cluster does not tell how a ${kind} is reached; use a newer psh`);
  if (transport.kind === 'native') return transport;
  const { alpn, forward } = transport;
  return { kind: 'tls', ...(alpn && { alpn }), ...(forward && { forward }) };
}
