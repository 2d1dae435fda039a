import type { ProxyHalf } from '@postern/kernel/tunnels';
import { standardPlugins } from '../../../config/src/standard.js';

/** The openings that the standard plugins know, for a proxy in a process of its own. */
export const halves: readonly ProxyHalf[] = standardPlugins.flatMap((plugin) => {
  const load = plugin.proxy?.bind(plugin);
  return load ? [{ id: plugin.protocol.id, load }] : [];
});
