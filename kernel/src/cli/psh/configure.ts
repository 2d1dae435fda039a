import type { AnyProtocol, ClientTarget, Plugin } from '@postern/plugin-sdk';
import type { z } from 'zod';
import type { ApiClient } from '../../api/api-client.js';
import { listResources, type resourceView } from '../../api/contract/documents.js';
import { applySetups } from '../additions/apply-setups.js';
import { clientProfile } from '../profile/client-profile.js';
import type { Profile } from '../profile/profile.js';
import type { PshProduct } from './product.js';

export type Reachable = z.output<typeof resourceView>;

export interface Configured {
  readonly profile: Profile;
  readonly warnings: readonly string[];
  readonly reachable: number;
}

/** Asks what the user may reach, and writes what native tools need to reach it. */
export async function configure(
  client: ApiClient,
  profile: Profile,
  product: PshProduct,
  except: readonly string[] = [],
): Promise<Configured> {
  const [resources, all] = await Promise.all([client.call(listResources, {}), product.load()]);
  const plugins = all.filter(({ protocol }) => !except.includes(protocol.id));
  const seen = await clientProfile(
    profile,
    product.program,
    plugins.map(({ protocol }) => protocol.id),
  );
  const setups = await Promise.all(
    plugins.map(async (plugin) => {
      const { id } = plugin.protocol;
      const module = await plugin.client?.();
      return (
        module?.configure(
          seen,
          resources.filter(({ kind }) => kind === id).map((one) => targetOf(plugin, one, profile)),
        ) ?? {}
      );
    }),
  );
  return { ...(await applySetups(profile, setups)), reachable: resources.length };
}

/** A resource as its plugin sees it: the protocol's own schema fills in what was left out. */
export function targetOf(
  { protocol }: Plugin,
  { kind, name, labels, spec, hostname, principals }: Reachable,
  profile: Profile,
): ClientTarget<AnyProtocol> {
  const checked = (protocol.auth.resource as z.ZodType).parse(spec ?? {});
  const { transport } = protocol;
  const forwarded = transport.kind === 'tls' && transport.forward === 'socket';
  return {
    resource: { name, labels, spec: checked },
    hostname,
    principals,
    ...(forwarded && { socket: profile.socketOf(kind, name) }),
  };
}
