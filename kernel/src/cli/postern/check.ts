import { dirname, resolve } from 'node:path';
import { PosternError } from '@postern/plugin-sdk';
import { loadConfiguration, nearest } from '../../configuration/index.js';
import { PluginSet } from '../../plugins/index.js';
import type { PosternProduct } from './product.js';

/** `postern check`: everything that can be wrong with a configuration, without starting anything. */
export async function check(product: PosternProduct, file: string): Promise<void> {
  const { configuration, source } = await loadConfiguration(file);
  const { cluster, auth, proxy, agent } = configuration;
  const plugins = await PluginSet.load({
    standard: await product.load(),
    sections: configuration.plugins,
    source,
    directory: dirname(resolve(file)),
  });
  for (const [index, document] of agent.resources.entries()) {
    const protocol = plugins.protocols.get(document.kind);
    const path = ['agent', 'resources', index];
    if (!protocol) throw unknownKind(source.at([...path, 'kind']), document.kind, [...plugins.protocols.keys()]);
    source.checkAt([...path, 'spec'], protocol.auth.resource, document['spec'] ?? {});
  }
  const services = Object.entries({ auth, proxy, agent }).flatMap(([name, { enabled }]) => (enabled ? [name] : []));
  process.stdout.write(
    `${file} is good: cluster ${cluster}; ${services.join(', ')}; protocols ${[...plugins.protocols.keys()].join(', ')}\n`,
  );
}

function unknownKind(at: string, kind: string, known: readonly string[]): PosternError {
  const meant = nearest(kind, known);
  const hint = meant ? `did you mean ${meant}?` : `known: ${known.join(', ')}`;
  return PosternError.public('invalid_config', `${at}: there is no protocol ${kind}; ${hint}`);
}
