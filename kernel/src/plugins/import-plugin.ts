import { resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { PosternError, type Plugin } from '@postern/plugin-sdk';
import { entryOfInstalled, entryOfPath } from './package-entry.js';

export interface PluginReference {
  readonly id: string;
  /** `file:line:column` of the section, for errors. */
  readonly at: string;
  readonly directory: string;
  readonly name: unknown;
  readonly path: unknown;
}

/** Imports a plugin that is not part of the product. Throws `invalid_config` with what is wrong and where. */
export async function importPlugin({ id, at, directory, name, path }: PluginReference): Promise<Plugin> {
  const wanted = typeof path === 'string' ? path : String(name);
  const module = await load(wanted, typeof path === 'string', directory).catch((cause: unknown) => {
    const detail = cause instanceof Error ? cause.message : String(cause);
    throw PosternError.public('invalid_config', `${at}: the plugin ${wanted} cannot be loaded: ${detail}`, cause);
  });
  const plugin = module.default;
  if (!isPlugin(plugin))
    throw PosternError.public('invalid_config', `${at}: ${wanted} has no plugin as its default export`);
  if ((plugin.sdk as number) !== 1)
    throw PosternError.public(
      'invalid_config',
      `${at}: ${wanted} was written for version ${plugin.sdk} of the plugin contract; this Postern speaks version 1`,
    );
  if (plugin.protocol.id !== id)
    throw PosternError.public(
      'invalid_config',
      `${at}: ${wanted} is the plugin ${plugin.protocol.id}; name the section so`,
    );
  return plugin;
}

async function load(wanted: string, isPath: boolean, directory: string): Promise<{ readonly default?: unknown }> {
  // A package beside the configuration file comes first, one beside the product second.
  const file = isPath ? entryOfPath(resolve(directory, wanted)) : entryOfInstalled(directory, wanted);
  const target = file === undefined ? import.meta.resolve(wanted) : pathToFileURL(file).href;
  return (await import(target)) as { readonly default?: unknown };
}

function isPlugin(value: unknown): value is Plugin {
  if (typeof value !== 'object' || value === null || !('protocol' in value) || !('agent' in value)) return false;
  const { protocol } = value;
  return typeof protocol === 'object' && protocol !== null && 'id' in protocol && 'auth' in protocol;
}
