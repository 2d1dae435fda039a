import type { PluginSummary } from '@postern/kernel/cli';
import { quickProxy } from '@postern/kernel/cli/quick';

/** The build puts the list here. */
declare const POSTERN_PLUGINS: readonly PluginSummary[];

/** Does what people wait for most often, if that is what the arguments say; `undefined` where it is not. */
export const quick = (argv: readonly string[]): Promise<number> | undefined => quickProxy(argv, POSTERN_PLUGINS);
