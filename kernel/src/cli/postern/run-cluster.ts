import { dirname, resolve } from 'node:path';
import { PosternError, type Logger } from '@postern/plugin-sdk';
import type { AuthService } from '../../cluster/index.js';
import { startCluster, type RunningCluster } from '../../cluster/index.js';
import { listenAddress, type Address, type LoadedConfiguration } from '../../configuration/index.js';
import { PluginSet } from '../../plugins/index.js';
import { processLog } from '../output/process-log.js';
import { findConfiguration } from './find-configuration.js';
import type { DemoAccess, PosternProduct } from './product.js';

export interface StartOptions {
  readonly config?: string | undefined;
  readonly data?: string | undefined;
  readonly listen?: string | undefined;
  /** Names of the services to run, instead of those that the configuration enables. */
  readonly services?: readonly string[] | undefined;
}

export interface StartedCluster {
  readonly cluster: RunningCluster;
  readonly loaded: LoadedConfiguration;
  /** Present where this start made the demo. */
  readonly demo: DemoAccess | undefined;
  readonly logger: Logger;
}

/** Starts a process from its configuration file, or as a demo where there is none. */
export async function runCluster(product: PosternProduct, options: StartOptions): Promise<StartedCluster> {
  const loaded = override(await findConfiguration(options.config), options);
  const { configuration, source, file } = loaded;
  const logger = processLog({ ...configuration.log, write: (line) => process.stderr.write(line) });
  const directory = file === undefined ? process.cwd() : dirname(resolve(file));
  const plugins = await PluginSet.load({
    standard: await product.load(),
    sections: configuration.plugins,
    source,
    directory,
  });
  let demo: DemoAccess | undefined;
  const firstStart = async (auth: AuthService): Promise<void> => {
    demo = await product.demo(auth);
  };
  const cluster = await startCluster({
    configuration,
    plugins,
    version: product.version,
    logger,
    ...(file === undefined && { firstStart }),
  });
  return { cluster, loaded, demo, logger };
}

function override(loaded: LoadedConfiguration, { data, listen, services }: StartOptions): LoadedConfiguration {
  const { configuration } = loaded;
  const { auth, proxy, agent } = configuration;
  const unknown = services?.find((name) => !['auth', 'proxy', 'agent'].includes(name));
  if (unknown !== undefined)
    throw PosternError.public('invalid_argument', `there is no service ${unknown}: auth, proxy and agent`);
  const runs = (name: string, enabled: boolean): boolean => services?.includes(name) ?? enabled;
  return {
    ...loaded,
    configuration: {
      ...configuration,
      ...(data !== undefined && { data: resolve(data) }),
      auth: { ...auth, enabled: runs('auth', auth.enabled) },
      proxy: {
        ...proxy,
        enabled: runs('proxy', proxy.enabled),
        ...(listen !== undefined && { listen: parseListen(listen) }),
      },
      agent: { ...agent, enabled: runs('agent', agent.enabled) },
    },
  };
}

function parseListen(text: string): Address {
  const parsed = listenAddress.safeParse(text);
  if (parsed.success) return parsed.data;
  throw PosternError.public('invalid_argument', `--listen ${text}: ${parsed.error.issues[0]?.message}`);
}
