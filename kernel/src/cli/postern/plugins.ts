import { existsSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { loadConfiguration, parseConfiguration } from '../../configuration/index.js';
import { PluginSet } from '../../plugins/index.js';
import type { Format } from '../output/formats.js';
import { showRows } from '../output/show.js';
import type { PosternProduct } from './product.js';

/** `postern plugin ls`. */
export async function plugins(
  product: PosternProduct,
  { config, format }: { readonly config?: string; readonly format: Format },
): Promise<void> {
  const file = config ?? 'postern.yaml';
  const loaded =
    config !== undefined || existsSync(file) ? await loadConfiguration(file) : parseConfiguration('', file);
  const set = await PluginSet.load({
    standard: await product.load(),
    sections: loaded.configuration.plugins,
    source: loaded.source,
    directory: dirname(resolve(file)),
  });
  const rows = [...set].map(({ plugin: { protocol } }) => ({
    id: protocol.id,
    title: protocol.title,
    posture: protocol.posture,
    transport: protocol.transport.kind,
    recordings: Object.keys(protocol.recordings ?? {}),
  }));
  await showRows(
    rows,
    [
      { title: 'PROTOCOL', value: ({ id }) => id },
      { title: 'TITLE', value: ({ title }) => title },
      { title: 'TRANSPORT', value: ({ transport }) => transport },
      { title: 'HARDENED AGAINST', value: ({ posture }) => posture },
      { title: 'RECORDS', value: ({ recordings }) => recordings.join(', ') },
    ],
    format,
  );
}
