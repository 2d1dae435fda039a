import { clientProfile } from '../profile/client-profile.js';
import type { Profile } from '../profile/profile.js';
import { targetOf, type Reachable } from './configure.js';
import { findResource } from './find-resource.js';
import type { PshProduct } from './product.js';
import { exportLines } from './shell-quoted.js';
import { withClient } from './with-client.js';

/** `psh env`: the variables of native clients where the kind has such; else where everything lies that a client needs. */
export async function env(
  product: PshProduct,
  kind: string,
  name: string,
  options: { readonly cluster?: string },
): Promise<void> {
  await withClient(options.cluster, async (client, profile) => {
    const resource = await findResource(client, kind, name);
    const own = await nativeVariables(product, resource, profile);
    process.stdout.write(exportLines({ ...plainVariables(resource, profile), ...own }));
  });
}

async function nativeVariables(
  product: PshProduct,
  resource: Reachable,
  profile: Profile,
): Promise<Readonly<Record<string, string>>> {
  if (!product.plugins.some(({ id }) => id === resource.kind)) return {};
  const plugin = (await product.load()).find(({ protocol }) => protocol.id === resource.kind);
  const module = await plugin?.client?.();
  if (!plugin || !module?.env) return {};
  const seen = await clientProfile(profile, product.program, [resource.kind]);
  return module.env(seen, targetOf(plugin, resource, profile), { options: {}, args: [] });
}

function plainVariables({ hostname, transport }: Reachable, profile: Profile): Readonly<Record<string, string>> {
  const { proxy } = profile.data;
  const { authority, certificate, key } = profile.files;
  return {
    POSTERN_HOST: hostname,
    POSTERN_PROXY_HOST: proxy.host,
    POSTERN_PROXY_PORT: String(proxy.port),
    POSTERN_CA_FILE: authority,
    POSTERN_CERT_FILE: certificate,
    POSTERN_KEY_FILE: key,
    ...(transport?.kind === 'tls' && transport.alpn && { POSTERN_ALPN: transport.alpn.join(',') }),
  };
}
