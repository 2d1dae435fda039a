import type { AnyProtocol, CommandSummary, Plugin } from '@postern/plugin-sdk';

/** What the user's program knows of a plugin before it loads one: so little that help and connections start at once. */
export interface PluginSummary {
  readonly id: string;
  readonly title: string;
  readonly noun?: string | undefined;
  readonly transport: AnyProtocol['transport'];
  readonly commands: readonly CommandSummary[];
}

/** What the composition root adds to the user's program. */
export interface PshProduct {
  readonly version: string;
  /** How to run this program again: absolute paths, for configuration files. */
  readonly program: readonly string[];
  readonly plugins: readonly PluginSummary[];
  load(): Promise<readonly Plugin[]>;
}

export function summarize({ protocol, noun, commands = [] }: Plugin): PluginSummary {
  const { id, title, transport } = protocol;
  return { id, title, ...(noun !== undefined && { noun }), transport, commands };
}
