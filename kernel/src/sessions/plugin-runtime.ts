import { Scope, type AgentModule, type AnyProtocol, type Logger } from '@postern/plugin-sdk';
import { PosternError } from '@postern/plugin-sdk';
import type { EnabledPlugin } from '../plugins/index.js';

/** A plugin whose agent half is loaded: its module, and the scope in which its sessions live. */
export interface PluginRuntime {
  readonly protocol: AnyProtocol;
  readonly module: AgentModule<AnyProtocol>;
  readonly config: unknown;
  readonly scope: Scope;
}

/**
 * Loads the agent halves. One that fails its own check is left out with its
 * reason, and does not keep the others from working.
 */
export async function loadRuntimes(
  plugins: Iterable<EnabledPlugin>,
  log: Logger,
): Promise<{
  readonly runtimes: ReadonlyMap<string, PluginRuntime>;
  readonly failures: ReadonlyMap<string, PosternError>;
}> {
  const runtimes = new Map<string, PluginRuntime>();
  const failures = new Map<string, PosternError>();
  for (const { plugin, config } of plugins) {
    const { protocol } = plugin;
    try {
      const module = await plugin.agent();
      const scope = Scope.root().child();
      module.bind?.(scope);
      await module.check?.(config, log);
      runtimes.set(protocol.id, { protocol, module, config, scope });
    } catch (cause) {
      const error = PosternError.from(cause);
      failures.set(protocol.id, error);
      log.error('a plugin cannot be used', { plugin: protocol.id, cause: error.message });
    }
  }
  return { runtimes, failures };
}
