import { configure } from './configure.js';
import type { PshProduct } from './product.js';
import { withClient } from './with-client.js';

/** `psh config`. */
export async function config(product: PshProduct, options: { readonly cluster?: string }): Promise<void> {
  await withClient(options.cluster, async (client, before) => {
    const { profile, warnings, reachable } = await configure(client, before, product);
    for (const warning of warnings) process.stderr.write(`psh: ${warning}\n`);
    const files = profile.data.additions.map(({ file }) => `~/${file}`);
    process.stdout.write(`${reachable} resources written to ${[profile.directory, ...files].join(', ')}\n`);
  });
}
